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
   * A client of a single Redis for tests, as for `createCache`. The testbed never closes it. Absent: caches only in
   * memory, whose time stands still unless it is advanced.
   */
  redis?: RedisClient | undefined
  /** First part of keys in Redis for caches without their own `prefix`. Default: a new one each time. */
  prefix?: string | undefined
  /** The seed for jitter and early expiration, a whole number. Default 1. */
  seed?: number | undefined
}

/**
 * An environment for tests of code that uses caches and locks. Time passes when the test says so, one call causes a
 * fault, and the test can assert what happened. Durations are ms. With a Redis, time also passes by itself, as Redis's
 * own time does.
 */
export interface Testbed extends Pick<TestProcess, 'createCache' | 'createLocker'> {
  /** ms since the testbed was made. */
  readonly now: number
  /** Another process. The testbed itself stands for the first one. They share something only with Redis. */
  process(): TestProcess
  /**
   * Lets `ms` pass. Timers fire in order, each at its own time, and the promises that follow are settled before the next
   * timer fires. It waits for the test's own code only while that code waits for `delay`.
   */
  advance(ms: number): Promise<void>
  /** Resolves when everything that needs no time has happened. */
  settle(): Promise<void>
  /** Resolves after `ms` of virtual time. For loaders and handlers in tests. */
  delay(ms: number): Promise<void>
  /** For `ms` from now no process can reach Redis. Throws without Redis. */
  redisAway(ms: number): void
  /**
   * Deletes the lease of a running refill of `key`, as an eviction or FLUSHALL would. Its holder does not know yet. Keys
   * are named as in `SeenLoad`. Rejects if there is none.
   */
  loseLease(key: string): Promise<void>
  /** Deletes the lock of `key` in the same way. */
  loseLock(key: string): Promise<void>
  /** The runs of loaders so far: all, or those of one key. */
  loads(key?: string): SeenLoad[]
  /** The calls of `getOrRefill` and `getOrRefillMany` so far, one for each key: all, or those of one key. */
  calls(key?: string): SeenCall[]
  /** Forgets finished loads and calls. */
  forget(): void
  /** Throws `AssertionError` unless exactly one loader has run, or runs, for this key. */
  assertOneLoad(key: string): void
  /** Throws `AssertionError` if a call took longer than `ms`, or has waited longer without an answer. */
  assertLongestWait(ms: number, key?: string): void
  /**
   * Rejects with `AssertionError` if anything still runs, or is left in Redis that should be gone: calls, loads, refills,
   * leases, locks, keys that never expire. For processes that died, only what they left in Redis counts.
   */
  assertNothingLeft(): Promise<void>
  /** Closes everything that was created here, and deletes its keys in Redis. */
  close(): Promise<void>
}

/** @throws TypeError or RangeError for invalid options */
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
