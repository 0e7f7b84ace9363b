import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createCache } from '../../../../src/cache/create-cache.ts'
import { collectGarbage } from '../../../support/collect-garbage.ts'

test('an entry keeps nothing alive of the request that happened to load it', async () => {
  const requests = new AsyncLocalStorage<object>()
  const cache = createCache({ ttl: 60_000 })
  const load = (): WeakRef<object> => {
    const request = { body: 'large' }
    void requests.run(request, () => cache.getOrRefill('key', async () => 'value'))
    return new WeakRef(request)
  }
  const request = load()
  for (let turn = 0; turn < 100 && request.deref() !== undefined; turn++) {
    await nextTurn()
    collectGarbage()
  }
  expect(request.deref()).toBeUndefined()
  expect(cache.peek('key')).toBe('value')
  await cache.close()
})
