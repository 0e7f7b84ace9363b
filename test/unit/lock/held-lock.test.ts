import { beforeEach, describe, expect, it } from 'vitest'
import { LockLostError, LockNotHeldError } from '../../../src/errors.ts'
import { Agenda } from '../../../src/lock/agenda.ts'
import { HeldLock, type Keeper, validityEnd } from '../../../src/lock/held-lock.ts'
import type { Instance } from '../../../src/lock/instance.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const TTL = 1000

let clock: FakeClock
let keeper: Keeper
/** What the instance was asked for, and how it answers. */
let extensions: number[]
let answer: () => Promise<boolean>

beforeEach(() => {
  clock = new FakeClock()
  extensions = []
  answer = async () => true
  const instance = {
    extend: async (_key: string, _token: string, ttl: number) => {
      extensions.push(ttl)
      return answer()
    },
    release: async () => true,
    remaining: async () => TTL,
  } as unknown as Instance
  keeper = { instances: [instance], clock, agenda: new Agenda(clock), watched: new Set(), inBackground: () => {} }
})

function hold(): HeldLock {
  return new HeldLock(keeper, { key: 'key', token: 'token', ttl: TTL, validUntil: validityEnd(clock.now(), TTL) })
}

const extendingFails = async (): Promise<boolean> => {
  throw new Error('no answer')
}

describe('the signal', () => {
  it('costs no timer until somebody asks for it', () => {
    const lock = hold()
    expect(clock.pendingTimers).toBe(0)
    expect(lock.signal).toBe(lock.signal)
    expect(clock.pendingTimers).toBe(1)
  })

  it('aborts just before the ttl ends', async () => {
    const { signal } = hold()
    await clock.advance(TTL - 2)
    expect(signal.aborted).toBe(false)
    await clock.advance(1)
    expect(signal.reason).toBeInstanceOf(LockLostError)
    expect(clock.pendingTimers).toBe(0)
    expect(keeper.watched.size).toBe(0)
  })

  it('is aborted already for who asks after the end', async () => {
    const lock = hold()
    await clock.advance(TTL)
    expect(lock.signal.reason).toBeInstanceOf(LockLostError)
  })

  it('follows an extension, in both directions', async () => {
    const lock = hold()
    const { signal } = lock
    await lock.extend(5000)
    await clock.advance(4990)
    expect(signal.aborted).toBe(false)
    await lock.extend(2)
    await clock.advance(2)
    expect(signal.aborted).toBe(true)
  })

  it('never aborts after the release', async () => {
    const lock = hold()
    const { signal } = lock
    await lock.release()
    await clock.advance(TTL * 2)
    expect(signal.aborted).toBe(false)
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('an extension', () => {
  it('whose answer is lost counts from now on, if it shortens the time', async () => {
    const lock = hold()
    const { signal } = lock
    answer = extendingFails
    await expect(lock.extend(100)).rejects.toThrow('no answer')
    await clock.advance(100)
    expect(signal.aborted).toBe(true)
  })

  it('is not even sent when the time ran out here', async () => {
    const lock = hold()
    await clock.block(TTL)
    await expect(lock.extend(TTL)).rejects.toThrow(LockNotHeldError)
    expect(extensions).toEqual([])
  })

  it('of a lock that Redis no longer knows loses it', async () => {
    const lock = hold()
    const { signal } = lock
    answer = async () => false
    await expect(lock.extend(TTL)).rejects.toThrow(LockNotHeldError)
    expect(signal.reason).toBeInstanceOf(LockLostError)
  })

  it('that succeeds after the lock was given up for lost does not revive it', async () => {
    const lock = hold()
    const { signal } = lock
    let succeed!: (held: boolean) => void
    answer = () => new Promise((resolve) => (succeed = resolve))
    const extended = expect(lock.extend(TTL)).rejects.toThrow(LockNotHeldError)
    await clock.advance(TTL)
    succeed(true)
    await extended
    expect(signal.aborted).toBe(true)
  })

  it('refuses a ttl that is none', async () => {
    await expect(hold().extend(0)).rejects.toThrow(RangeError)
  })
})

describe('a lock that extends itself', () => {
  it('does so when a third of its time has gone', async () => {
    const lock = hold()
    lock.keepExtending()
    await clock.advance(TTL * 10)
    expect(extensions.length).toBeGreaterThanOrEqual(29)
    expect(extensions.length).toBeLessThanOrEqual(31)
    expect(lock.signal.aborted).toBe(false)
  })

  it('tries again when it fails, as long as there is time, and is then lost', async () => {
    const lock = hold()
    lock.keepExtending()
    answer = extendingFails
    await clock.advance(TTL - 2)
    expect(extensions.length).toBeGreaterThan(3)
    expect(lock.signal.aborted).toBe(false)
    await clock.advance(2)
    expect(lock.signal.reason).toBeInstanceOf(LockLostError)
    expect(clock.pendingTimers).toBe(0)
  })

  it('recovers from a failure', async () => {
    const lock = hold()
    lock.keepExtending()
    answer = extendingFails
    await clock.advance(500)
    answer = async () => true
    await clock.advance(TTL * 3)
    expect(lock.signal.aborted).toBe(false)
  })

  it('stops at the release', async () => {
    const lock = hold()
    lock.keepExtending()
    await lock.release()
    await clock.advance(TTL * 3)
    expect(extensions).toEqual([])
  })

  it('shares one timer with thousands of others', () => {
    for (let index = 0; index < 3000; index++) hold().keepExtending()
    expect(clock.pendingTimers).toBe(1)
    expect(clock.pendingKeepAliveTimers).toBe(0)
  })
})

describe('a lock that was handed over for a moment', () => {
  it('is confirmed a moment later, once', async () => {
    const lock = hold()
    lock.confirm()
    await clock.settle()
    expect(extensions).toEqual([])
    await clock.advance(1)
    expect(extensions).toEqual([TTL])
    await clock.advance(TTL - 2)
    expect(extensions).toEqual([TTL])
  })

  it('is not confirmed when it was released before', async () => {
    const lock = hold()
    lock.confirm()
    await lock.release()
    await clock.advance(1)
    expect(extensions).toEqual([])
  })

  it('is confirmed in a second attempt when the first fails', async () => {
    const lock = hold()
    answer = extendingFails
    lock.confirm()
    await clock.advance(1)
    answer = async () => true
    await clock.advance(500)
    expect(extensions).toEqual([TTL, TTL])
    expect(lock.signal.aborted).toBe(false)
  })
})

it('a release that failed may be tried again, and is watched until then', async () => {
  let attempts = 0
  const release = async (): Promise<boolean> => {
    if (attempts++ === 0) throw new Error('no answer')
    return true
  }
  keeper = { ...keeper, instances: [{ release } as unknown as Instance] }
  const lock = hold()
  const { signal } = lock
  await expect(lock.release()).rejects.toThrow('no answer')
  expect(keeper.watched.size).toBe(1)
  await lock.release()
  await expect(lock.release()).rejects.toThrow(LockNotHeldError)
  expect(signal.aborted).toBe(false)
})
