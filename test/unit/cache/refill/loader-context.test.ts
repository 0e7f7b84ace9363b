import { Execution } from '../../../../src/flight/execution.ts'
import { describe, expect, it } from 'vitest'
import { LoadRecord } from '../../../../src/cache/refill/loader-context.ts'

function record(): { record: LoadRecord<number>; unshared: () => number } {
  let calls = 0
  const made = new LoadRecord<number>(
    'key',
    new Execution(),
    () => 7,
    true,
    { doNotShare: () => void calls++ },
    undefined,
  )
  return { record: made, unshared: () => calls }
}

describe('LoadRecord', () => {
  it('tells the loader what it is to know', () => {
    expect(record().record).toMatchObject({ key: 'key', stale: 7, background: true, sharing: 'share' })
  })

  it('notes a lifetime part by part, and tags one after another', () => {
    const made = record().record
    const { cacheFor } = made // detached, as loaders will
    cacheFor({ ttl: 5, tags: ['a'] })
    cacheFor({ staleIfError: 7, tags: ['b'] })
    cacheFor({ ttl: 0 })
    expect(made.lifetime).toEqual({ ttl: 0, staleIfError: 7 })
    expect(made.tags).toEqual(['a', 'b'])
  })

  it.each([{ ttl: -1 }, { ttl: Number.NaN }, { staleWhileRevalidate: '5' }, { staleIfError: 0.5 }, { tags: [''] }])(
    'refuses %o by name and notes nothing of it',
    (options) => {
      const made = record().record
      const name = Object.keys(options)[0]?.replace('tags', 'tag')
      expect(() => made.cacheFor(options as object)).toThrow(new RegExp(`^${name} must be`))
      expect([made.lifetime, made.tags]).toEqual([{}, []])
    },
  )

  it('acts on doNotShare at once, and once; nothing takes it back', () => {
    const { record: made, unshared } = record()
    made.doNotStore()
    expect(made.sharing).toBe('do-not-store')
    made.doNotShare()
    expect(unshared()).toBe(1)
    made.doNotShare()
    made.doNotStore()
    expect([made.sharing, unshared()]).toEqual(['do-not-share', 1])
  })
})
