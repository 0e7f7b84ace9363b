import { describe, expect, it } from 'vitest'
import { FakeRandom } from '../../support/fake-random.ts'

describe('FakeRandom', () => {
  it('repeats itself for the same seed and differs for another', () => {
    const [first, again, other] = [new FakeRandom(7), new FakeRandom(7), new FakeRandom(8)]
    expect(first.token()).toBe(again.token())
    expect(first.uniform()).toBe(again.uniform())
    expect(first.token()).not.toBe(other.token())
  })

  it('stays within [0, 1) and spreads', () => {
    const random = new FakeRandom()
    const values = Array.from({ length: 1000 }, () => random.uniform())
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...values)).toBeLessThan(1)
    expect(values.reduce((sum, value) => sum + value) / values.length).toBeCloseTo(0.5, 1)
  })

  it('makes tokens of the shape of real ones', () => {
    expect(new FakeRandom().token()).toMatch(/^[\w-]{22}$/)
  })

  it('returns forced values first', () => {
    const random = new FakeRandom()
    random.force(0, 0.999)
    expect([random.uniform(), random.uniform()]).toEqual([0, 0.999])
  })
})
