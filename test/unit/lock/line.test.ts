import { describe, expect, it } from 'vitest'
import type { Busy } from '../../../src/lock/instance.ts'
import type { Place } from '../../../src/lock/line.ts'
import { WaitingRoom } from '../../../src/lock/waiting-room.ts'
import type { Inbox } from '../../../src/redis/inbox.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'

const busy: Busy = { taken: false, remaining: 60_000, holderIsOurs: true, queued: true, added: false, redisNow: 0 }

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
  const room = new WaitingRoom(inbox, clock, new FakeRandom())
  const place = room.join('key', 'token')
  const say = (message: string): void => deliver(Buffer.from(message))
  return { clock, room, place, say, tell: (redisUntil: number) => say(String(redisUntil)) }
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

it('is looked for when a lock that was left free for others no longer is', async () => {
  const { clock, place, say } = oneWaiter()
  let isWoken = false
  const turn = place.turn(busy, clock.now()).then(() => (isWoken = true))
  await clock.advance(100)
  say('look:60')
  await clock.advance(61)
  expect(isWoken).toBe(false)
  await clock.advance(1)
  expect(isWoken).toBe(true)
  await turn
})

describe('the locks that others of one process wanted', () => {
  it('are known while they wait, and for some time after', async () => {
    const { clock, room, place } = oneWaiter()
    expect(room.isContended('key')).toBe(true)
    expect(room.isContended('another')).toBe(false)
    void place.turn(busy, clock.now())
    place.leave()
    await clock.advance(9999)
    expect(room.isContended('key')).toBe(true)
    await clock.advance(1)
    expect(room.isContended('key')).toBe(false)
  })

  it('are forgotten at once where nobody had to wait', () => {
    const { room, place } = oneWaiter()
    place.leave()
    expect(room.isContended('key')).toBe(false)
  })

  it('are forgotten before they become many', () => {
    const { clock, room } = oneWaiter()
    for (let index = 0; index < 1500; index++) {
      const place = room.join(`key ${index}`, 'token')
      void place.turn(busy, clock.now())
      place.leave()
    }
    const known = Array.from({ length: 1500 }, (_, index) => room.isContended(`key ${index}`))
    expect(known.filter(Boolean)).toHaveLength(1000)
    expect(known.at(-1)).toBe(true)
  })
})

describe('those of one process who wait for one lock', () => {
  /** How often each was woken; each looks in vain and waits on. */
  function crowd(count: number) {
    const clock = new FakeClock()
    let reset!: () => void
    const inbox = {
      ready: true,
      onReset: (listener: () => void) => {
        reset = listener
        return () => {}
      },
      open: async () => {},
      listen: () => () => {},
    }
    const room = new WaitingRoom(inbox as unknown as Inbox, clock, new FakeRandom())
    const looks = Array.from({ length: count }, () => 0)
    const places = looks.map((_, index) => {
      const place = room.join('key', String(index))
      void waitOn(place, () => (looks[index] = (looks[index] ?? 0) + 1))
      return place
    })
    async function waitOn(place: Place, look: () => void): Promise<void> {
      for (;;) {
        await place.turn(busy, clock.now()).catch(() => new Promise(() => {}))
        look()
      }
    }
    return { clock, room, places, looks, inbox, reset: () => reset() }
  }

  it('share one timer, and the first looks for all', async () => {
    const { clock, looks } = crowd(100)
    expect(clock.pendingTimers).toBe(1)
    await clock.advance(10_000)
    expect(looks[0]).toBeGreaterThanOrEqual(4)
    expect(looks[0]).toBeLessThanOrEqual(5)
    expect(looks.slice(1).every((count) => count === 0)).toBe(true)
  })

  it('go on being looked for when the first leaves', async () => {
    const { clock, places, looks } = crowd(3)
    places[0]?.leave()
    await clock.advance(2500)
    expect(looks).toEqual([0, 1, 0])
  })

  it('are looked for at once when the one who looks leaves in the midst', async () => {
    const { clock, places, looks, room } = crowd(1)
    const late = room.join('key', 'late')
    await clock.advance(1999)
    places[0]?.leave()
    expect(clock.pendingTimers).toBe(1)
    late.leave()
    expect(clock.pendingTimers).toBe(0)
    expect(looks).toEqual([0])
  })

  it('all look when messages may have been missed, but only one while they cannot come', async () => {
    const { clock, looks, inbox, reset } = crowd(3)
    inbox.ready = false
    reset()
    await clock.settle()
    expect(looks).toEqual([1, 0, 0])
    inbox.ready = true
    reset()
    await clock.settle()
    expect(looks).toEqual([2, 1, 1])
  })

  it('leave no timer behind when all have left, and the room says so', async () => {
    const { clock, places, room } = crowd(3)
    let empty = false
    void room.close(new Error('closed')).then(() => (empty = true))
    for (const place of places) {
      await clock.settle()
      expect(empty).toBe(false)
      place.leave()
    }
    await clock.settle()
    expect(empty).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })
})
