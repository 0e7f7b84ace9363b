import { expect, it } from 'vitest'
import { type Busy } from '../../../src/lock/instance.ts'
import { recheckDelay, WaitingRoom } from '../../../src/lock/waiting.ts'
import type { Inbox } from '../../../src/redis/inbox.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'

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

/** One waiter, and what brings it a message. */
function oneWaiter() {
  const clock = new FakeClock()
  let deliver!: (payload: Buffer) => void
  const inbox = {
    ready: true,
    onReset: () => () => {},
    open: async () => {},
    listen: (_topic: string, listener: typeof deliver) => {
      deliver = listener
      return () => {}
    },
  } as unknown as Inbox
  const place = new WaitingRoom(inbox, clock, new FakeRandom()).join('key', 'token')
  return { clock, place, tell: (redisUntil: number) => deliver(Buffer.from(String(redisUntil))) }
}

/** Redis's clock shows something else than ours. */
const REDIS_NOW = 5_000_000

it('counts a grant from its beginning in Redis, however late its message comes', async () => {
  const { clock, place, tell } = oneWaiter()
  const sentAt = clock.now()
  const turn = place.turn({ ...busy, redisNow: REDIS_NOW }, sentAt)
  await clock.advance(900)
  tell(REDIS_NOW + 200 + 1000) // handed over 200 ms after the refusal, told 700 ms later
  expect(await turn).toBe(sentAt + 1200)
})

it('counts a grant so even when its message overtakes the refusal', async () => {
  const { clock, place, tell } = oneWaiter()
  const sentAt = clock.now()
  await clock.advance(700)
  tell(REDIS_NOW + 1000)
  await clock.advance(100)
  expect(await place.turn({ ...busy, redisNow: REDIS_NOW }, sentAt)).toBe(sentAt + 1000)
})

it('lets no leap of the clock of Redis make a grant last longer than it can', async () => {
  const { clock, place, tell } = oneWaiter()
  const turn = place.turn({ ...busy, redisNow: REDIS_NOW }, clock.now())
  await clock.advance(100)
  tell(REDIS_NOW + 3_600_000)
  expect(await turn).toBe(clock.now() + 1000)
})
