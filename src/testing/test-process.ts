import type { Cache } from '../cache/cache.ts'
import { createCacheOn } from '../cache/create-cache.ts'
import type { CacheOptions } from '../cache/options.ts'
import type { StandardSchemaV1, ValueOf } from '../cache/schema/standard-schema.ts'
import type { TypedCache } from '../cache/typed-cache.ts'
import { count, positiveDuration } from '../check.ts'
import type { Clock } from '../clock.ts'
import { Locker } from '../lock/locker.ts'
import type { LockerOptions } from '../lock/options.ts'
import type { Random } from '../random.ts'
import type { RedisClient } from '../redis/clients/port-of.ts'
import type { TestPort } from './test-port.ts'
import type { Witness } from './witness.ts'

/** Options of a cache of a testbed. The testbed provides the Redis. */
export type TestCacheOptions = Omit<CacheOptions, 'redis'>

/** Stands for one process of an application: its caches and lockers have their own memory and connections. */
export interface TestProcess {
  /** `createCache` in virtual time. Default of `prefix`: that of the testbed. */
  createCache<T extends StandardSchemaV1>(options: TestCacheOptions & { schema: T }): TypedCache<ValueOf<T>>
  createCache(options: TestCacheOptions): Cache
  /** `new Locker` in virtual time. Throws without Redis. */
  createLocker(options?: Omit<LockerOptions, 'clients'>): Locker
  /**
   * Ends the process as SIGKILL would: it sends and receives nothing more, its timers stand still, and its promises never
   * settle. Its keys in Redis stay until they expire. Throws without Redis.
   */
  die(): void
  /** For `ms` from now this process cannot reach Redis; others can. Throws without Redis. */
  redisAway(ms: number): void
  /** The next `count` messages of other processes are lost on their way to this one. Default 1. Throws without Redis. */
  loseMessages(count?: number): void
}

/** What a testbed gives to its processes. */
export interface ProcessParts {
  readonly clock: Clock
  readonly random: Random
  readonly witness: Witness
  readonly prefix: string
  /** Absent without Redis. */
  readonly redis: { readonly port: TestPort; readonly client: RedisClient } | undefined
}

export class OneProcess implements TestProcess {
  readonly #parts: ProcessParts
  readonly #isAlive: () => boolean
  readonly #onDeath: () => void
  readonly #caches: Cache[] = []
  readonly #lockers: Locker[] = []
  /** How many outages are under way. */
  #outages = 0

  constructor(parts: ProcessParts, isAlive: () => boolean, onDeath: () => void) {
    this.#parts = parts
    this.#isAlive = isAlive
    this.#onDeath = onDeath
  }

  readonly createCache = ((options: TestCacheOptions): Cache => {
    const { redis, prefix, clock, random, witness } = this.#parts
    if ((options as CacheOptions | undefined)?.redis !== undefined) {
      throw new TypeError('redis must not be given here: a cache of a testbed has the Redis of the testbed')
    }
    const all = { prefix, ...options, ...(redis && { redis: redis.client }) }
    const cache = witness.watch(createCacheOn(all, clock, random), this.#isAlive)
    this.#caches.push(cache)
    return cache
  }) as TestProcess['createCache']

  readonly createLocker = (options: Omit<LockerOptions, 'clients'> = {}): Locker => {
    const { clock, random } = this.#parts
    const { client } = this.#redis('createLocker')
    const locker = new Locker({ ...options, clients: client }, { clock, random })
    this.#lockers.push(locker)
    return locker
  }

  readonly die = (): void => {
    const { port } = this.#redis('die')
    if (!this.#isAlive()) return
    this.#onDeath()
    port.die()
    this.#parts.witness.abandon(this.#isAlive)
  }

  readonly redisAway = (ms: number): void => {
    const { port } = this.#redis('redisAway')
    positiveDuration('ms', ms)
    port.leave()
    this.#outages++
    this.#parts.clock.setTimeout(() => {
      if (--this.#outages === 0) port.comeBack()
    }, ms)
  }

  readonly loseMessages = (lost = 1): void => {
    this.#redis('loseMessages').port.loseMessages(count('count', lost))
  }

  /** The running flights, in words. */
  pending(): string[] {
    if (!this.#isAlive()) return []
    const flights = this.#caches.flatMap((cache) => cache.flights())
    return flights.map(({ key }) => `a refill of ${JSON.stringify(key)} is under way`)
  }

  async close(): Promise<void> {
    if (this.#isAlive()) await Promise.all([...this.#caches, ...this.#lockers].map((each) => each.close()))
  }

  #redis(what: string): NonNullable<ProcessParts['redis']> {
    const { redis } = this.#parts
    if (redis === undefined) throw new TypeError(`${what} needs a testbed with redis, received one in memory alone`)
    return redis
  }
}
