import { expect, test, vi } from 'vitest'
import { claim } from '../../src/redis/scripts/claim.ts'
import { cacheLab, settled, warmUp } from '../support/cache-lab.ts'

const lab = cacheLab()

test('a claim without company leaves at once; those of one tick leave together', async () => {
  const redis = lab.client()
  const cache = lab.cache({ redis })
  await warmUp(lab.redis, cache)
  const send = vi.spyOn(redis, 'sendCommand')
  const sent = (): number => send.mock.calls.filter(([{ args }]) => args[0] === claim.sha).length
  const load = (keys: readonly string[]): Promise<string>[] => keys.map((key) => cache.getOrRefill(key, () => key))
  const many = (name: string): string[] => Array.from({ length: 300 }, (_, n) => `${name} ${n}`)

  const alone = load(['alone'])
  expect(sent()).toBe(1)
  await Promise.all(alone)
  await settled(cache)

  const herd = load(many('first'))
  expect(sent()).toBe(2)
  await Promise.all(herd)
  await settled(cache)
  expect(sent()).toBe(4) // the other 299 in two, of which none has more than 200

  const another = load(many('second'))
  expect(sent()).toBe(4) // the last had company: these wait for the end of the tick
  await Promise.all(another)
  await settled(cache)
  expect(sent()).toBe(6)
})
