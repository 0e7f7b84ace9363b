import { describe, expect, it } from 'vitest'
import { systemRandom } from '../../src/random.ts'

describe('systemRandom', () => {
  it('makes tokens of 128 bits in 22 characters that stand in any key', () => {
    for (let i = 0; i < 1000; i++) expect(systemRandom.token()).toMatch(/^[\w-]{22}$/)
  })

  it('repeats no token, across several fillings of its pool', () => {
    const tokens = Array.from({ length: 10_000 }, () => systemRandom.token())
    expect(new Set(tokens).size).toBe(tokens.length)
  })

  it('uses every bit of them', () => {
    const bits = Array.from({ length: 128 }, () => 0)
    for (let i = 0; i < 1000; i++) {
      const bytes = Buffer.from(systemRandom.token(), 'base64url')
      expect(bytes).toHaveLength(16)
      for (let bit = 0; bit < 128; bit++)
        bits[bit] = (bits[bit] ?? 0) + (((bytes[bit >> 3] as number) >> (bit & 7)) & 1)
    }
    // Each is set in about 500 of 1000; 8 standard deviations (16 each) either way.
    for (const count of bits) expect(Math.abs(count - 500)).toBeLessThan(128)
  })

  it('is uniform in [0, 1)', () => {
    const values = Array.from({ length: 10_000 }, () => systemRandom.uniform())
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...values)).toBeLessThan(1)
    expect(values.reduce((sum, value) => sum + value) / values.length).toBeCloseTo(0.5, 1)
  })
})
