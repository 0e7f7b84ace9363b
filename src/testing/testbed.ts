import { AssertionError } from 'node:assert'
import { checkKey, checkNumber, checkObject, duration } from '../check.ts'
import { systemRandom } from '../random.ts'
import type { RedisClient } from '../redis/clients/port-of.ts'
import { seededChance } from './seeded-chance.ts'
import { OneProcess, type TestProcess } from './test-process.ts'
import { TestRedis } from './test-redis.ts'
import { VirtualTime } from './virtual-time.ts'
import { Witness, type SeenCall, type SeenLoad } from './witness.ts'

export interface TestbedOptions {
  /**
   * A client of a single Redis for tests, as for `createCache`; never closed here. Absent: caches in memory alone, whose
   * time stands still unless it is advanced.
   */
  redis?: RedisClient | undefined
  /** First part of keys in Redis for caches without a `prefix` of their own. Default: another one each time. */
  prefix?: string | undefined
  /** Of the chance behind jitter and early expiration, a whole number. Default 1. */
  seed?: number | undefined
}

/**
 * A place to test code that uses caches and locks: time passes when the test says so, faults come by a call, and what
 * happened can be asserted. Durations are ms. Over a Redis time also passes by itself, as Redis's own does.
 */
export interface Testbed extends Pick<TestProcess, 'createCache' | 'createLocker'> {
  /** ms since the testbed was made. */
  readonly now: number
  /** A process besides the first, which has what the testbed itself creates. Only with Redis do they share anything. */
  process(): TestProcess
  /**
   * Lets `ms` pass: timers fire in their order, each at its instant, and promises that follow are settled before the next.
   * Other than by time the test's own code must not be waited for: a loader that takes time takes it by `delay`.
   */
  advance(ms: number): Promise<void>
  /** Resolves when all has happened that needs no time to pass. */
  settle(): Promise<void>
  /** Resolves after `ms` of this time. For loaders and handlers of tests. */
  delay(ms: number): Promise<void>
  /** For `ms` from now no process can reach Redis. Throws without Redis. */
  redisAway(ms: number): void
  /**
   * Deletes the lease by which a refill of `key` is under way, as an eviction or FLUSHALL would; its holder does not know
   * yet. Keys are named as in `SeenLoad`. Rejects when there is none.
   */
  loseLease(key: string): Promise<void>
  /** Deletes the lock of `key`, likewise. */
  loseLock(key: string): Promise<void>
  /** The runs of loaders so far: all, or of one key. */
  loads(key?: string): SeenLoad[]
  /** The calls of `getOrRefill` and `getOrRefillMany` so far, one for each key: all, or of one key. */
  calls(key?: string): SeenCall[]
  /** Forgets loads and calls that are over. */
  forget(): void
  /** Throws `AssertionError` unless exactly one loader has run, or runs, for this key. */
  assertOneLoad(key: string): void
  /** Throws `AssertionError` if a call took longer than `ms`, or has waited longer without an answer. */
  assertLongestWait(ms: number, key?: string): void
  /**
   * Rejects with `AssertionError` if anything is under way, or left in Redis that ought to be gone: calls, loads, refills,
   * leases, locks, keys without an end. Of processes that died nothing counts but what they left in Redis.
   */
  assertNothingLeft(): Promise<void>
  /** Closes what was created here, and deletes its keys in Redis. */
  close(): Promise<void>
}

/** @throws TypeError or RangeError for options that cannot be honoured */
export function createTestbed(options: TestbedOptions = {}): Testbed {
  checkObject('options', options)
  const { redis: client, prefix = `herdlock-test-${systemRandom.token()}`, seed = 1 } = options
  const random = seededChance(checkNumber('seed', seed, 'a whole number', Number.isInteger))
  const redis = client === undefined ? undefined : new TestRedis(client, () => time.ahead)
  const time: VirtualTime = new VirtualTime(redis)
  const witness = new Witness(() => time.now)
  const processes: OneProcess[] = []

  function process(): OneProcess {
    let isAlive = true
    const alive = (): boolean => isAlive
    const parts = { clock: time.clock(alive), random, witness, prefix, redis: redis?.connect() }
    const made = new OneProcess(parts, alive, () => (isAlive = false))
    processes.push(made)
    return made
  }
  const first = process()
  const clock = time.clock(() => true)

  async function lose(what: string, key: string, keys: readonly string[]): Promise<void> {
    if (redis === undefined) throw new TypeError(`${what} needs a testbed with redis, received one in memory alone`)
    const lost = await Promise.all(keys.map((each) => redis.lose(each)))
    if (!lost.includes(true)) throw new RangeError(`${what} must name a key that somebody holds, received '${key}'`)
  }

  return {
    get now() {
      return time.now
    },
    createCache: first.createCache,
    createLocker: first.createLocker,
    process,
    advance: (ms) => time.advance(duration('ms', ms)),
    settle: () => time.settle(),
    delay: (ms) => new Promise((resolve) => void clock.setTimeout(resolve, duration('ms', ms))),
    redisAway: (ms) => processes.forEach((each) => each.redisAway(ms)),
    loseLease: (key) => lose('loseLease', key, redis?.leasesOf(checkKey(key)) ?? []),
    loseLock: (key) => lose('loseLock', key, [checkKey(key)]),
    loads: (key) => witness.loads(key),
    calls: (key) => witness.calls(key),
    forget: () => witness.forget(),
    assertOneLoad: (key) => witness.assertOneLoad(key),
    assertLongestWait: (ms, key) => witness.assertLongestWait(ms, key),
    async assertNothingLeft() {
      await time.settle()
      const inProcesses = processes.flatMap((each) => each.pending())
      const left = [...witness.pending(), ...inProcesses, ...((await redis?.left()) ?? [])]
      if (left.length === 0) return
      const message = `expected nothing to be left, but\n  ${left.join('\n  ')}`
      throw new AssertionError({ message, actual: left, expected: [], operator: 'assertNothingLeft' })
    },
    async close() {
      await Promise.all(processes.map((each) => each.close()))
      await redis?.cleanUp()
    },
  }
}
