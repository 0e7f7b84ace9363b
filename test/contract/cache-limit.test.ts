import { describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { gatedLoads } from '../support/gated-loads.ts'
import { uniquePrefix } from '../support/shared-redis.ts'
import { cachesOn, setups } from './cache-setups.ts'

describe.each(setups)('maxLoads on $name', (setup) => {
  const { cacheWith } = cachesOn(setup)

  test('no more loads run at once, over all caches that share what they stand on', async () => {
    const prefix = uniquePrefix('limit')
    const isShared = setup.options().redis !== undefined
    const caches = Array.from({ length: isShared ? 2 : 1 }, () => cacheWith({ maxLoads: 3, prefix }))
    const loads = gatedLoads()
    const keys = Array.from({ length: 12 }, (_, n) => `key ${n}`)
    const answers = caches.flatMap((cache) => keys.map((key) => cache.getOrRefill(key, loads.loader)))
    await eventually('three run', () => loads.running.length === 3)
    while (loads.begun < keys.length) {
      const before = loads.begun
      loads.end(loads.running[0] as string)
      await eventually('the next begins', () => loads.begun > before)
    }
    loads.endAll()
    await Promise.all(answers)
    expect([loads.most, loads.begun]).toEqual([3, keys.length])
  })
})
