import { expect, test } from 'vitest'
import { cacheManager } from '../../src/cache-manager/cache-manager.ts'
import { cacheLab, gatedLoad, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'

const lab = cacheLab()

test('wrap of a cache manager runs once over all processes, and others follow what one changes', async () => {
  const caches = [lab.cache(), lab.cache()] as const
  await warmUp(lab.redis, ...caches)
  const [a, b] = [cacheManager(caches[0]), cacheManager(caches[1])]
  const load = gatedLoad<string>()
  const wrapped = (): Promise<string> => load.loader({ signal: new AbortController().signal })
  const calls = [a, b, a, b].map((manager) => manager.wrap('key', wrapped, 5000, 1000))
  await load.started
  load.gate.resolve('value')
  expect(await Promise.all(calls)).toEqual(['value', 'value', 'value', 'value'])
  expect(load.runs).toBe(1)
  await b.set('key', 'new')
  await eventually('the other has heard', async () => (await a.get('key')) === 'new')
  await b.del('key')
  await eventually('the other has heard', async () => (await a.get('key')) === undefined)
})
