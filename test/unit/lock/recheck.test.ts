import { expect, it } from 'vitest'
import type { Busy } from '../../../src/lock/instance.ts'
import { recheckDelay } from '../../../src/lock/recheck.ts'

const busy: Busy = { taken: false, remaining: 60_000, holderIsOurs: true, queued: true, added: false, redisNow: 0 }

it('looks again every two seconds or so for what a message may not have told', () => {
  expect(recheckDelay(busy, 0)).toBe(2000)
  expect(recheckDelay(busy, 0.999)).toBeCloseTo(2400, -1)
})

it('looks again when the lock lapses, and then not all at once', () => {
  expect(recheckDelay({ ...busy, remaining: 300 }, 0)).toBe(301)
  expect(recheckDelay({ ...busy, remaining: 300 }, 0.999)).toBeCloseTo(321, 0)
})

it.each([
  ['the holder tells nobody of its release', { ...busy, holderIsOurs: false }],
  ['the lock has no expiry', { ...busy, holderIsOurs: false, remaining: -1 }],
  ['nobody could tell us', { ...busy, queued: false }],
])('polls no slower than every 50 ms when %s', (_, refusal) => {
  expect(recheckDelay(refusal, 0)).toBe(40)
  expect(recheckDelay(refusal, 0.999)).toBeLessThanOrEqual(50)
  expect(recheckDelay({ ...refusal, remaining: 7 }, 0.5)).toBe(8)
})
