import { describe, expect, it } from 'vitest'
import { createCache } from '../../../src/cache/create-cache.ts'
import { PathMarks } from '../../../src/next/path-marks.ts'

describe('PathMarks', () => {
  const marks = new PathMarks(createCache({ ttl: 1000 }))

  it('a key is what it was until one of its paths is revalidated, and then another one each time', async () => {
    const keys = [await marks.keyFor('key', ['_N_T_/a', '_N_T_/layout']), await marks.keyFor('key', [])]
    for (let times = 0; times < 2; times++) {
      await marks.change(['_N_T_/a'])
      keys.push(await marks.keyFor('key', ['_N_T_/layout', '_N_T_/a']))
    }
    expect(keys.slice(0, 2)).toEqual(['key', 'key'])
    expect(new Set(keys).size).toBe(3)
    expect(await marks.keyFor('key', ['_N_T_/a', '_N_T_/layout'])).toBe(keys.at(-1))
    expect(await marks.keyFor('key', ['_N_T_/layout'])).toBe('key')
  })

  it('tags that stand for no path leave no mark', async () => {
    await marks.change(['products'])
    expect(await marks.keyFor('key', ['products'])).toBe('key')
  })
})
