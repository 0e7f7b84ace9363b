import { describe, expect, it } from 'vitest'
import { spread } from '../../../src/redis/spread.ts'
import { leftBy } from '../../../src/store/tag-record.ts'

/** Loaded at 1000 ms, fresh until 5000. */
const STARTED_AT = 1_000_000
const entry = (...tags: string[]) => ({
  freshUntil: 5000,
  staleUntil: 6000,
  errorUntil: 8000,
  tags: tags.map((tag) => [tag, STARTED_AT] as const),
})
const left = (texts: unknown[], now = 2000, form = 'key') => leftBy(texts, entry(...texts.map(String)), form, now)
const ended = (at: number) => ({ freshUntil: at, staleUntil: at + 1000, errorUntil: at + 3000 })

describe('what tags leave of an entry', () => {
  it.each<[string, unknown[]]>([
    ['no tags', []],
    ['a tag that never changed', ['0']],
    ['an invalidation before its load', ['999999']],
    ['an expiry before its load', ['0 999999 0']],
    ['an expiry after its end', ['0 5000000 0']],
  ])('%s: all of it', (_what, texts) => {
    expect(left(texts)).toEqual(entry(...texts.map(String)))
  })

  it.each<[string, unknown[]]>([
    ['an invalidation at the start of its load', ['1000000']],
    ['one after it', ['1000001']],
    ['one of another tag', ['0', '1000000']],
    ['a key that is gone', [null]],
    ['a key that is damaged', ['0 1']],
    ['a key of another program', ['never']],
  ])('%s: nothing', (_what, texts) => {
    expect(left(texts)).toBeUndefined()
  })

  it('an expiry ends its ttl, and the windows follow from there', () => {
    expect(left(['0 1500900 0'])).toMatchObject(ended(1500))
    expect(left(['0 1000000 0'])).toMatchObject(ended(1000))
  })

  it('the first of several counts', () => {
    expect(left(['0 1900000 0 2000000 0', '7 1500000 0'])).toMatchObject(ended(1500))
    const own = 1500 + spread('key', 1000)
    expect(left(['0 1500000 1000 2900000 0'])).toMatchObject(ended(Math.min(own, 2900)))
  })

  it('nothing is left at the end of its windows', () => {
    expect(left(['0 1500000 0'], 4499)).toBeDefined()
    expect(left(['0 1500000 0'], 4500)).toBeUndefined()
  })
})

describe('spread', () => {
  it('is spread evenly, the same for a key each time', () => {
    const keys = Array.from({ length: 2000 }, (_, i) => `key:${i}`)
    const moments = keys.map((key) => spread(key, 1000))
    expect(moments).toEqual(keys.map((key) => spread(key, 1000)))
    for (const from of [0, 250, 500, 750]) {
      const share = moments.filter((at) => at >= from && at < from + 250).length / keys.length
      expect(share).toBeGreaterThan(0.2)
      expect(share).toBeLessThan(0.3)
    }
    expect(spread('key', 0)).toBe(0)
  })
})
