import { expect, it } from 'vitest'
import { BackOff } from '../../../../src/cache/local/back-off.ts'

it('pauses from 1 s, doubling, to 30 s, and begins anew with a new value', () => {
  const backOff = new BackOff()
  const now = 5000
  const pauseAfterFailure = (): number => {
    backOff.failed('key', now)
    return backOff.until('key') - now
  }
  expect(backOff.until('key')).toBe(0)
  expect(Array.from({ length: 7 }, pauseAfterFailure)).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
  expect(backOff.until('other')).toBe(0)
  backOff.forget('key')
  expect(backOff.until('key')).toBe(0)
  expect(pauseAfterFailure()).toBe(1000)
  backOff.clear()
  expect(backOff.until('key')).toBe(0)
})
