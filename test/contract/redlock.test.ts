import type { EventEmitter } from 'node:events'
import { Redis } from 'ioredis'
// @ts-expect-error what it exports does not name its types
import TheirRedlock, { ExecutionError as TheirExecutionError, ResourceLockedError as TheirLockedError } from 'redlock'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ExecutionError, ResourceLockedError } from '../../src/redlock/errors.ts'
import { Redlock } from '../../src/redlock/redlock.ts'
import { deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'

/* The same tests for redlock itself and for ours. */

interface Stats {
  readonly membershipSize: number
  readonly quorumSize: number
  readonly votesFor: { readonly size: number }
  readonly votesAgainst: ReadonlyMap<unknown, Error>
}
interface Result {
  readonly attempts: readonly Promise<Stats>[]
}
interface Lock extends Result {
  readonly resources: readonly string[]
  readonly value: string
  readonly expiration: number
  release(): Promise<Result>
  extend(duration: number): Promise<Lock>
}
type Settings = Partial<Record<'retryCount' | 'retryDelay' | 'retryJitter' | 'automaticExtensionThreshold', number>>
type Signal = AbortSignal & { error?: Error }
interface Common extends EventEmitter {
  acquire(resources: string[], duration: number, settings?: Settings): Promise<Lock>
  release(lock: Lock, settings?: Settings): Promise<Result>
  extend(lock: Lock, duration: number, settings?: Settings): Promise<Lock>
  using<T>(
    resources: string[],
    duration: number,
    settings: Settings,
    routine: (signal: Signal) => Promise<T>,
  ): Promise<T>
}
type Constructor = new (clients: Iterable<unknown>, settings?: Settings) => Common

let redis: Redis
beforeAll(() => {
  redis = new Redis(sharedRedis().url)
})
afterAll(() => redis.disconnect())

const OURS = Redlock as unknown as Constructor
const THEIRS = TheirRedlock as unknown as Constructor
const ONCE = { retryCount: 0 }

describe.each<[string, Constructor, unknown, unknown]>([
  ['redlock', THEIRS, TheirExecutionError, TheirLockedError],
  ['herdlock', OURS, ExecutionError, ResourceLockedError],
])('Redlock of %s', (_name, Class, Execution, Locked) => {
  const locks: Lock[] = []
  afterEach(() => Promise.allSettled(locks.splice(0).map((lock) => redis.del(...lock.resources))))
  const make = (settings: Settings = { retryCount: 3, retryDelay: 30, retryJitter: 10 }): Common =>
    new Class([redis], settings)
  const key = (): string => uniquePrefix('redlock')
  const taken = async (lock: Promise<Lock>): Promise<Lock> => {
    locks.push(await lock)
    return lock
  }
  const failureOf = async (work: Promise<unknown>): Promise<Error & Result> =>
    (await work.then(
      () => expect.unreachable(),
      (error: unknown) => error,
    )) as Error & Result

  test('a lock stands under its resource until it is released', async () => {
    const [redlock, resource] = [make(), key()]
    const before = Date.now()
    const lock = await taken(redlock.acquire([resource], 5000))
    expect(lock).toMatchObject({ resources: [resource], value: await redis.get(resource) })
    expect(lock.expiration).toBeGreaterThan(before + 4000)
    expect(lock.expiration).toBeLessThan(Date.now() + 5000)
    expect(await redis.pttl(resource)).toBeGreaterThan(4000)
    const { attempts } = await lock.release()
    expect(await Promise.all([...lock.attempts, ...attempts])).toEqual(
      [1, 2].map(() => ({ membershipSize: 1, quorumSize: 1, votesFor: new Set([redis]), votesAgainst: new Map() })),
    )
    expect([await redis.exists(resource), lock.expiration]).toEqual([0, 0])
  })

  test('what is locked is refused when all attempts have failed, by names that callers know', async () => {
    const [redlock, resource] = [make(), key()]
    await taken(redlock.acquire([resource], 5000))
    const events: unknown[] = []
    redlock.on('error', (error) => events.push(error))
    const error = await failureOf(redlock.acquire([resource], 5000))
    expect(error).toBeInstanceOf(Execution)
    expect(error.name).toBe('ExecutionError')
    const stats = (await Promise.all(error.attempts)).at(-1)
    expect([stats?.votesFor.size, stats?.votesAgainst.get(redis)?.name]).toEqual([0, 'ResourceLockedError'])
    expect(events[0]).toBeInstanceOf(Locked)
    expect(await failureOf(redlock.acquire([resource], 5000, ONCE))).toBeInstanceOf(Execution)
  })

  test('who waits gets the lock when it is released, or has expired', async () => {
    const [redlock, resource] = [make({ retryCount: 100, retryDelay: 30, retryJitter: 10 }), key()]
    const first = await taken(redlock.acquire([resource], 5000))
    const waiting = redlock.acquire([resource], 50)
    await first.release()
    const second = await taken(waiting)
    expect(second.value).not.toBe(first.value)
    const third = await taken(make({ retryCount: -1, retryDelay: 30 }).acquire([resource], 5000))
    expect(await redis.get(resource)).toBe(third.value)
  })

  test('several resources are locked together or not at all', async () => {
    const [redlock, a, b, c] = [make(), key(), key(), key()]
    const held = await taken(redlock.acquire([b], 5000))
    expect(await failureOf(redlock.acquire([c, b, a], 5000, ONCE))).toBeInstanceOf(Execution)
    expect(await redis.exists(a, b, c)).toBe(1)
    await held.release()
    const all = await taken(redlock.acquire([c, b, a], 5000))
    expect(all.resources).toEqual([c, b, a])
    expect(await redis.exists(a, b, c)).toBe(3)
    await all.release()
    expect(await redis.exists(a, b, c)).toBe(0)
  })

  test('extend hands out a lock that lasts longer, and the old one counts as expired', async () => {
    const [redlock, a, b] = [make(), key(), key()]
    const lock = await taken(redlock.acquire([a, b], 2000))
    const longer = await lock.extend(60_000)
    expect(longer.expiration).toBeGreaterThan(Date.now() + 50_000)
    expect([await redis.pttl(a), await redis.pttl(b)].every((ms) => ms > 50_000)).toBe(true)
    expect([lock.expiration, longer.value, longer.resources]).toEqual([0, lock.value, [a, b]])
    expect(await failureOf(lock.extend(1000))).toBeInstanceOf(Execution)
    await longer.release()
  })

  test('what was lost is neither extended nor released', async () => {
    const [redlock, resource] = [make(ONCE), key()]
    for (const end of ['extend', 'release'] as const) {
      const lock = await taken(redlock.acquire([resource], 5000))
      await redis.set(resource, 'of another')
      const error = await failureOf(end === 'extend' ? lock.extend(5000) : lock.release())
      expect(error).toBeInstanceOf(Execution)
      expect((await error.attempts[0])?.votesAgainst.get(redis)).toBeInstanceOf(Locked)
      expect(await redis.get(resource)).toBe('of another')
      await redis.del(resource)
    }
  })

  test('using runs its routine under the lock, and releases it whatever comes', async () => {
    const [redlock, resource] = [make(), key()]
    const settings = { automaticExtensionThreshold: 100 }
    const seen = await redlock.using([resource], 5000, settings, async ({ aborted }) => [
      aborted,
      await redis.exists(resource),
    ])
    expect([seen, await redis.exists(resource)]).toEqual([[false, 1], 0])
    const reason = new Error('no')
    expect(await failureOf(redlock.using([resource], 5000, settings, () => Promise.reject(reason)))).toBe(reason)
    expect(await redis.exists(resource)).toBe(0)
  })

  test('using extends its lock while the routine runs', async () => {
    const [redlock, resource] = [make(), key()]
    await redlock.using([resource], 1000, { automaticExtensionThreshold: 900 }, async (signal) => {
      const first = await redis.pttl(resource)
      let least = first
      await eventually(
        'it was extended',
        async () => {
          const left = await redis.pttl(resource)
          if (left > least + 20) return true
          least = left
          return false
        },
        { every: 5 },
      )
      expect(signal.aborted).toBe(false)
    })
    expect(await redis.exists(resource)).toBe(0)
  })

  test('using aborts the signal, with its error, when the lock is lost', async () => {
    const [redlock, resource] = [make(ONCE), key()]
    let error: Error | undefined
    const using = redlock.using([resource], 700, { automaticExtensionThreshold: 500 }, async (signal) => {
      await redis.set(resource, 'of another')
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      error = signal.error
    })
    expect(await failureOf(using)).toBeInstanceOf(Execution)
    expect(error).toBeInstanceOf(Error)
    await redis.del(resource)
  })

  test('refuses a duration that is no whole number, or too near to the threshold of extension', async () => {
    const [redlock, resource] = [make(), key()]
    const routine = async (): Promise<void> => expect.unreachable()
    await expect(redlock.acquire([resource], 1.5)).rejects.toThrow(/duration/i)
    await expect(redlock.using([resource], 1.5, {}, routine)).rejects.toThrow(/duration/i)
    const settings = { automaticExtensionThreshold: 901 }
    await expect(redlock.using([resource], 1000, settings, routine)).rejects.toThrow('automaticExtensionThreshold')
    expect(() => new Class([])).toThrow()
  })
})

test.each([
  ['theirs ours', THEIRS, OURS],
  ['ours theirs', OURS, THEIRS],
])('locks of %s exclude each other', async (_names, First, Second) => {
  const resource = uniquePrefix('redlock')
  const [first, second] = [new First([redis]), new Second([redis])]
  const lock = await first.acquire([resource], 5000)
  await expect(second.acquire([resource], 5000, ONCE)).rejects.toThrow()
  const began = deferred<void>()
  const waiting = second.using([resource], 5000, { retryCount: -1, retryDelay: 20, retryJitter: 5 }, async () =>
    began.resolve(),
  )
  await lock.release()
  await began.promise
  await waiting
  expect(await redis.exists(resource)).toBe(0)
})
