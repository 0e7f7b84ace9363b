import { afterEach, describe, expect, it } from 'vitest'
import type { Refill } from '../../../src/cache/claim.ts'
import { createCache } from '../../../src/cache/create-cache.ts'
import { HeldRefills } from '../../../src/next/held-refills.ts'

const cache = createCache({ ttl: 1000 })
afterEach(() => cache.clear())

async function claimed(key: string, signal?: AbortSignal): Promise<Refill<string>> {
  const claim = await cache.claim<string>(key, { signal })
  if (claim.state !== 'leased') throw new Error(claim.state)
  return claim.refill
}

describe('HeldRefills', () => {
  it('hands out each once, those of a key in the order in which they came', async () => {
    const held = new HeldRefills<string>()
    const refills = [await claimed('a'), await claimed('b'), await claimed('c')]
    held.hold('key', refills[0] as Refill<string>)
    held.hold('key', refills[1] as Refill<string>)
    held.hold('other', refills[2] as Refill<string>)
    expect([held.take('key'), held.take('other'), held.take('key'), held.take('key')]).toEqual([
      refills[0],
      refills[2],
      refills[1],
      undefined,
    ])
    await Promise.all(refills.map((refill) => refill.abandon()))
  })

  it('lets go of one that ends by itself, before or after', async () => {
    const held = new HeldRefills<string>()
    const controller = new AbortController()
    const [lost, kept] = [await claimed('d', controller.signal), await claimed('e')]
    held.hold('key', lost)
    held.hold('key', kept)
    controller.abort()
    held.hold('other', lost)
    expect([held.take('key'), held.take('other')]).toEqual([kept, undefined])
    await kept.abandon()
  })
})
