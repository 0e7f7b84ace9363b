import { AsyncLocalStorage } from 'node:async_hooks'
import { expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { cacheLab, settled, warmUp } from '../support/cache-lab.ts'

const lab = cacheLab()
const scope = new AsyncLocalStorage<string>()
const users = ['Ada', 'Grace', 'Mary']

/** What each loader finds when all are asked for in one tick, so that their questions to Redis travel together. */
function ownersSeen(cache: Cache): Promise<(string | undefined)[]> {
  return Promise.all(users.map((user) => scope.run(user, () => cache.getOrRefill(user, () => scope.getStore()))))
}

test('a loader runs in the async scope of the caller who began it', async () => {
  const cache = lab.cache({ memory: false })
  await warmUp(lab.redis, cache)
  expect(await ownersSeen(cache)).toEqual(users)
})

test('also where hits are the rule, and a plain read went before', async () => {
  const cache = lab.cache({ memory: false })
  await warmUp(lab.redis, cache)
  await cache.set('hot', 1)
  for (let n = 0; n < 100; n++) await cache.getOrRefill('hot', () => 0)
  await settled(cache)
  expect(await ownersSeen(cache)).toEqual(users)
})
