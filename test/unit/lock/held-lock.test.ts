import { beforeEach, describe, expect, it } from 'vitest'
import { LockLostError, LockNotHeldError } from '../../../src/errors.ts'
import { Agenda } from '../../../src/lock/agenda.ts'
import { HeldLock, type LockHost } from '../../../src/lock/held-lock.ts'
import type { Instance, Released } from '../../../src/lock/instance.ts'
import { validityEnd } from '../../../src/lock/validity.ts'
import { deferred } from '../../support/deferred.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const TTL = 1000

let clock: FakeClock
let host: LockHost
/** What the instance was asked for, and how it answers. */
let extensions: number[]
let answer: () => Promise<boolean>
/** Whether the next command leaves the process before it is answered. */
let hasLeft: boolean

beforeEach(() => {
  clock = new FakeClock()
  extensions = []
  answer = async () => true
  hasLeft = true
  const instance = {
    extend: async (_key: string, _token: string, ttl: number) => {
      extensions.push(ttl)
      return answer()
    },
    extendAtOnce: (_key: string, _token: string, ttl: number) => {
      extensions.push(ttl)
      return { reply: answer().then((isHeld) => [Number(isHeld)]), hasLeft: () => hasLeft }
    },
    release: async () => 'yes',
    remaining: async () => TTL,
  } as unknown as Instance
  host = { instances: [instance], clock, agenda: new Agenda(clock), watched: new Set(), inBackground: () => {} }
})

function hold(): HeldLock {
  return new HeldLock(host, { key: 'key', token: 'token', ttl: TTL, validUntil: validityEnd(clock.now(), TTL) })
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
    expect(host.watched.size).toBe(0)
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
  const GRANT = 500
  const grant = (): HeldLock =>
    new HeldLock(host, { key: 'key', token: 'token', ttl: TTL, validUntil: clock.now() + GRANT })

  it('is confirmed at once, and had as soon as the command has left', async () => {
    const lock = grant()
    answer = () => new Promise(() => {})
    const confirmed = lock.confirm()
    expect(extensions).toEqual([TTL])
    await confirmed
  })

  it('is had a turn later where it takes a turn for the command to leave', async () => {
    const lock = grant()
    answer = () => new Promise(() => {})
    hasLeft = false
    clock.setImmediate(() => (hasLeft = true))
    const confirmed = lock.confirm()
    await clock.settle()
    await confirmed
  })

  it('is had when it is confirmed where nobody knows whether the command has left', async () => {
    const lock = grant()
    const reply = deferred<boolean>()
    answer = () => reply.promise
    hasLeft = false
    let isHad = false
    const confirmed = lock.confirm().then(() => (isHad = true))
    await clock.advance(100)
    expect(isHad).toBe(false)
    reply.resolve(true)
    await clock.settle()
    await confirmed
    expect(lock.validUntil).toBeGreaterThan(clock.now() + TTL - 150)
  })

  it('is not had when it proves lost before it is confirmed', async () => {
    hasLeft = false
    answer = async () => false
    const refused = expect(grant().confirm()).rejects.toThrow(LockNotHeldError)
    await clock.settle()
    await refused
  })

  it('is confirmed in a second attempt when the first fails', async () => {
    const lock = grant()
    answer = extendingFails
    await lock.confirm()
    answer = async () => true
    await clock.advance(GRANT)
    expect(extensions).toEqual([TTL, TTL])
    expect(lock.signal.aborted).toBe(false)
  })

  it('lasts its ttl for a holder that blocks the event loop meanwhile', async () => {
    const lock = grant()
    const { signal } = lock
    const reply = deferred<boolean>()
    answer = () => reply.promise
    await lock.confirm()
    // The reply arrives while the loop is blocked; the timer of the grant's end comes first after that.
    const blocked = clock.block(GRANT + 100)
    reply.resolve(true)
    await blocked
    expect(signal.aborted).toBe(false)
    await lock.extend(TTL)
    expect(signal.aborted).toBe(false)
  })

  it('ends with the grant when no confirmation comes', async () => {
    const lock = grant()
    const { signal } = lock
    answer = () => new Promise(() => {})
    await lock.confirm()
    await clock.advance(GRANT - 1)
    expect(signal.aborted).toBe(false)
    await clock.advance(1)
    expect(signal.aborted).toBe(true)
  })
})

describe('an extension by itself', () => {
  it('takes nothing from the time that its owner has set meanwhile', async () => {
    const lock = hold()
    const { signal } = lock
    lock.keepExtending()
    await clock.advance(300)
    const long = deferred<boolean>()
    answer = () => long.promise
    const extended = lock.extend(60_000)
    answer = extendingFails
    await clock.advance(100) // it is due, and fails
    long.resolve(true)
    await extended
    await clock.advance(30_000)
    expect(signal.aborted).toBe(false)
  })
})

describe('a release that finds the lock gone', () => {
  const releasing = (released: Released): HeldLock => {
    host = { ...host, instances: [{ release: async () => released } as unknown as Instance] }
    return hold()
  }

  it('has succeeded if it may have been sent twice while the lock was valid', async () => {
    await releasing('perhaps').release()
  })

  it('was too late if the lock had run out', async () => {
    const lock = releasing('perhaps')
    await clock.advance(TTL)
    await expect(lock.release()).rejects.toThrow(LockNotHeldError)
  })

  it('was too late if it was sent once', async () => {
    await expect(releasing('no').release()).rejects.toThrow(LockNotHeldError)
  })
})

it('a release that failed may be tried again, and is watched until then', async () => {
  let attempts = 0
  const release = async (): Promise<Released> => {
    if (attempts++ === 0) throw new Error('no answer')
    return 'yes'
  }
  host = { ...host, instances: [{ release } as unknown as Instance] }
  const lock = hold()
  const { signal } = lock
  await expect(lock.release()).rejects.toThrow('no answer')
  expect(host.watched.size).toBe(1)
  await lock.release()
  await expect(lock.release()).rejects.toThrow(LockNotHeldError)
  expect(signal.aborted).toBe(false)
})
