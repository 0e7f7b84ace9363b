import { expect, test } from 'vitest'
import { createMemoryCache } from '../../../src/cache/memory-cache.ts'
import { systemClock } from '../../../src/clock.ts'
import { systemRandom } from '../../../src/random.ts'

test("a middleware's own cache, which has no streams, says so", async () => {
  const cache = createMemoryCache({ ttl: 1000 }, systemClock, systemRandom)
  expect(await cache.getOrRefill('a', () => 1)).toBe(1)
  const producer = async function* (): AsyncGenerator<number> {
    yield 1
  }
  expect(() => cache.stream('b', producer)).toThrow('stream needs a cache of createCache')
  await cache.close()
})
