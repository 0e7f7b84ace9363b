import {
  MAX_DURATION,
  checkArray,
  checkBoolean,
  checkFunction,
  checkKey,
  checkMethods,
  checkNonEmptyString,
  checkNumber,
  checkObject,
  checkOneOf,
  checkSignal,
  checkString,
  checkVersion,
  count,
  duration,
  positiveDuration,
} from '../check.ts'
import { outOfRange, wrongType } from '../errors.ts'
import { shownKey } from '../full-key.ts'
import { resolveRedactKey } from '../lock/options.ts'
import type { ClientPort } from '../redis/client-port.ts'
import type { RedisClient } from '../redis/clients/port-of.ts'
import { defaultCodec, type Codec } from '../store/codec.ts'
import { checkSchema, type StandardSchemaV1, type ValueOf } from './schema/standard-schema.ts'

/** Options of `createCache`. All durations are whole milliseconds. */
export interface CacheOptions {
  /** ms that an entry is fresh. Required. */
  ttl: number
  /** ms after `ttl` in which the stale value is served at once while one caller refills it (RFC 5861). Default 0. */
  staleWhileRevalidate?: number | undefined
  /** ms after `ttl` in which the stale value is served when the refill fails (RFC 5861). Default 0. */
  staleIfError?: number | undefined
  /** An ioredis `Redis` or `Cluster`, or several for a migration. Absent: memory only. Never closed by the cache. */
  redis?: RedisClient | readonly RedisClient[] | undefined
  /** First part of every key and channel in Redis. Default `'herdlock'`. */
  prefix?: string | undefined
  /** The tier in this process's memory, L1. `false` only with `redis`. Default `{ maxEntries: 10_000 }`. */
  memory?: false | MemoryOptions | undefined
  /**
   * ms for which the refill's lease is taken; extended while the loader runs. After a crash others wait no longer than
   * this. Default 3000.
   */
  lockTtl?: number | undefined
  /** ms after which a loader is given up: its `signal` aborts, callers get `LoadTimeoutError`. Default 30 000. */
  loadTimeout?: number | undefined
  /** ms to wait for a refill in another process. Default 30 000. */
  waitTimeout?: number | undefined
  /** ms to wait for the fresh value when a stale one could be served at once. Default 0. */
  softTimeout?: number | undefined
  /** After `waitTimeout`: `'load'` runs this caller's loader without storing, `'throw'` rejects with `WaitTimeoutError`. Default `'load'`. */
  onWaitTimeout?: 'load' | 'throw' | undefined
  /** ms that any one Redis operation may take, or less if the client itself waits less. Default 1000. */
  commandTimeout?: number | undefined
  /** ms for which a `null` is fresh, in place of `ttl`: "there is none" is often worth remembering for less time. */
  negativeTtl?: number | undefined
  /**
   * ms for which a failed load is remembered, in all processes, if there is no stale value: callers get
   * `RefillFailedError` at once. Or a function that says so for an error, 0 for not at all. Default 0.
   */
  failureTtl?: FailureTtl | undefined
  /** Share of the ttl, from 0 to below 1, by which it is shortened at random. Default 0. */
  jitter?: number | undefined
  /**
   * Refills a fresh entry before it expires, with odds that grow towards its end and with the time its load took
   * (XFetch). `beta` above 1 refills earlier, below 1 later; 1 is the usual choice. Default: off.
   */
  earlyExpiration?: { beta: number } | undefined
  /** Whether nothing stored answers calls, which load every time: what they load is stored. See `CallOptions`. Default `false`. */
  forceFresh?: boolean | undefined
  /** How values become bytes for Redis and back. Default: JSON, extended by what JSON cannot say. */
  codec?: Codec | undefined
  /**
   * Version of the values' shape, part of every key: values of a new version start cold, those of the old one stay for
   * programs that still read them. `clear` and tags reach all versions. Default: none.
   */
  version?: string | number | undefined
  /**
   * What every value must be valid by: a Standard Schema of version 1, as of zod, valibot or arktype. What a loader or `set`
   * makes fails with `InvalidValueError`; what stands in Redis counts as not found. Values are handed out as they are,
   * whatever the schema would make of them, and hits in memory are not checked. Default: none.
   */
  schema?: StandardSchemaV1 | undefined
  /**
   * Is handed the work that goes on after a caller has been answered: refills in the background, and storing. For hosts
   * that freeze a process once it has responded; there, pass the host's own function of that name. It never rejects.
   */
  waitUntil?: ((work: Promise<unknown>) => void) | undefined
  /**
   * How many loads of this cache run at once, over all processes that share its Redis; without Redis, in this process. Over
   * the limit a caller gets a stale value, if one may be used; else it waits in line within `waitTimeout`, and then rejects
   * with `OverloadedError`. A batch counts as one load, and what a loader asks the cache for counts with it. Default: any
   * number.
   */
  maxLoads?: number | undefined
  /** What telemetry calls this cache. Default: `prefix`. */
  name?: string | undefined
  /**
   * What diagnostics channels, and so OpenTelemetry, are told in place of a key; called only where somebody subscribes.
   * Listeners of `on` are the application's own: they get keys as they are. Default: the key itself.
   */
  redactKey?: ((key: string) => string) | undefined
}

export interface MemoryOptions {
  /** Default 10 000. */
  maxEntries?: number | undefined
  /** Upper bound on the bytes of all values as encoded by the codec. Default: none. */
  maxBytes?: number | undefined
  /**
   * Also drop from memory what others than this library change or delete in Redis, even by hand. Costs each process a
   * message for every write under the prefix, its own included, after which it reads that key anew. Not on a Cluster.
   * Default `false`.
   */
  tracking?: boolean | undefined
  /** ms for which memory may answer before Redis is asked again, where that is shorter than the entry's `ttl`. */
  ttl?: number | undefined
  /**
   * ms for which memory may answer while the connection is down by which other processes tell of their changes. Default
   * 1000. Only with `redis`.
   */
  unsyncedTtl?: number | undefined
}

/** Which version of a key's value is meant. */
export interface VersionOptions {
  /** In place of the cache's `version`. */
  version?: string | number | undefined
}

/** ms for which a failed load is remembered, or what says so for an error. */
export type FailureTtl = number | ((error: unknown) => number)

/** How long an entry may be used. */
export interface Lifetime {
  ttl?: number | undefined
  staleWhileRevalidate?: number | undefined
  staleIfError?: number | undefined
}

/** Options of one call; they override the cache's. Of callers that share a flight, the leader's count. */
export interface CallOptions<V = unknown> extends Lifetime, VersionOptions {
  /** Names under which the entry can be invalidated together with others. */
  tags?: readonly string[] | undefined
  /** Aborts this caller's waiting, and the load when nobody else waits for it. */
  signal?: AbortSignal | undefined
  softTimeout?: number | undefined
  waitTimeout?: number | undefined
  loadTimeout?: number | undefined
  onWaitTimeout?: 'load' | 'throw' | undefined
  negativeTtl?: number | undefined
  failureTtl?: FailureTtl | undefined
  /**
   * Nothing stored answers this call. It shares a load that has not begun yet with other such calls; else it loads, and
   * what it loads is stored for all. Others are served as before meanwhile. Default `false`.
   */
  forceFresh?: boolean | undefined
  jitter?: number | undefined
  codec?: Codec<V> | undefined
  schema?: StandardSchemaV1<V, unknown> | undefined
  /** Takes the place of the cache's `waitUntil`: for hosts that give each request one of its own. */
  waitUntil?: ((work: Promise<unknown>) => void) | undefined
}

/** Options of `expireTags`. */
export interface ExpireOptions {
  /** ms over which entries expire, each at a moment that a hash of its key decides. Default 0: all at once. */
  over?: number | undefined
}

/** The same with a schema, which says of what type the values are. */
export type CallOptionsWith<T extends StandardSchemaV1> = CallOptions<ValueOf<T>> & { schema: T }

/** What counts for one call: its own options, and the cache's where it has none. */
export interface CallSettings<V> {
  readonly signal: AbortSignal | undefined
  readonly ttl: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly softTimeout: number
  readonly waitTimeout: number
  readonly loadTimeout: number
  readonly onWaitTimeout: 'load' | 'throw'
  readonly negativeTtl: number | undefined
  readonly failureTtl: FailureTtl
  readonly forceFresh: boolean
  readonly jitter: number
  readonly tags: readonly string[]
  readonly codec: Codec<V>
  readonly schema: StandardSchemaV1 | undefined
  readonly waitUntil: ((work: Promise<unknown>) => void) | undefined
}

/** What counts for calls without options, and for the cache as a whole. */
export interface ResolvedOptions extends CallSettings<unknown> {
  readonly redis: readonly ClientPort[]
  readonly prefix: string
  readonly memory: false | ResolvedMemory
  readonly lockTtl: number
  readonly commandTimeout: number
  readonly maxLoads: number | undefined
  readonly name: string
  readonly redactKey: (key: string) => string
  readonly version: string | undefined
  /** 0: no early expiration. */
  readonly beta: number
}

const NO_TAGS: readonly string[] = []
export interface ResolvedMemory {
  readonly maxEntries: number
  readonly maxBytes: number | undefined
  readonly ttl: number | undefined
  readonly tracking: boolean
  readonly unsyncedTtl: number
}

/** Tags that one entry may have. */
const MAX_TAGS = 100
const DEFAULT_MAX_ENTRIES = 10_000
export const DEFAULT_UNSYNCED_TTL = 1000

/**
 * Checks and completes the options; throws `TypeError` or `RangeError` that names the option at fault. `portsOf`: the
 * ports of `options.redis`; none where it is absent.
 */
export function resolveOptions(
  options: CacheOptions,
  portsOf: (redis: CacheOptions['redis']) => readonly ClientPort[],
): ResolvedOptions {
  checkObject('options', options, 'an object with a ttl')
  const redis = portsOf(options.redis)
  const prefix = resolvePrefix(options.prefix ?? 'herdlock')
  return {
    signal: undefined,
    tags: NO_TAGS,
    ttl: positiveDuration('ttl', options.ttl),
    staleWhileRevalidate: duration('staleWhileRevalidate', options.staleWhileRevalidate ?? 0),
    staleIfError: duration('staleIfError', options.staleIfError ?? 0),
    redis,
    prefix,
    memory: resolveMemory(options.memory, redis),
    lockTtl: positiveDuration('lockTtl', options.lockTtl ?? 3000),
    loadTimeout: positiveDuration('loadTimeout', options.loadTimeout ?? 30_000),
    waitTimeout: positiveDuration('waitTimeout', options.waitTimeout ?? 30_000),
    softTimeout: duration('softTimeout', options.softTimeout ?? 0),
    onWaitTimeout: resolveOnWaitTimeout(options.onWaitTimeout ?? 'load'),
    commandTimeout: positiveDuration('commandTimeout', options.commandTimeout ?? 1000),
    negativeTtl: options.negativeTtl === undefined ? undefined : positiveDuration('negativeTtl', options.negativeTtl),
    failureTtl: resolveFailureTtl(options.failureTtl ?? 0),
    forceFresh: options.forceFresh === undefined ? false : checkBoolean('forceFresh', options.forceFresh),
    jitter: share('jitter', options.jitter ?? 0),
    beta: options.earlyExpiration === undefined ? 0 : resolveBeta(options.earlyExpiration),
    codec: resolveCodec(options.codec ?? defaultCodec),
    schema: resolveSchema(options.schema),
    version: options.version === undefined ? undefined : checkVersion(options.version),
    waitUntil: resolveWaitUntil(options.waitUntil),
    maxLoads: options.maxLoads === undefined ? undefined : count('maxLoads', options.maxLoads),
    name: checkNonEmptyString('name', options.name ?? prefix),
    redactKey: redactShown(resolveRedactKey(options.redactKey)),
  }
}

/** Throws for options of a call that cannot be honoured, before anything is done. */
export function checkCallOptions<V>(options: CallOptions<V>): void {
  checkObject('options', options)
  const { signal, ttl, negativeTtl, failureTtl, forceFresh, jitter, tags, onWaitTimeout, codec, waitUntil } = options
  checkSignal(signal)
  if (ttl !== undefined) positiveDuration('ttl', ttl)
  if (negativeTtl !== undefined) positiveDuration('negativeTtl', negativeTtl)
  if (failureTtl !== undefined) resolveFailureTtl(failureTtl)
  if (forceFresh !== undefined) checkBoolean('forceFresh', forceFresh)
  if (jitter !== undefined) share('jitter', jitter)
  if (tags !== undefined) checkTags(tags)
  for (const name of ['staleWhileRevalidate', 'staleIfError', 'softTimeout'] as const) {
    if (options[name] !== undefined) duration(name, options[name])
  }
  for (const name of ['waitTimeout', 'loadTimeout'] as const) {
    if (options[name] !== undefined) positiveDuration(name, options[name])
  }
  if (onWaitTimeout !== undefined) resolveOnWaitTimeout(onWaitTimeout)
  if (codec !== undefined) resolveCodec(codec)
  resolveSchema(options.schema)
  resolveWaitUntil(waitUntil)
  checkVersionOptions(options)
}

/** The same for calls that take nothing else. */
export function checkVersionOptions(options: VersionOptions): void {
  checkObject('options', options)
  if (options.version !== undefined) checkVersion(options.version)
}

/** Completes checked call options. */
export function settingsOf<V>(options: CallOptions<V> | undefined, defaults: ResolvedOptions): CallSettings<V> {
  if (options === undefined) return defaults as CallSettings<V>
  return {
    signal: options.signal,
    ttl: cap(options.ttl ?? defaults.ttl),
    staleWhileRevalidate: cap(options.staleWhileRevalidate ?? defaults.staleWhileRevalidate),
    staleIfError: cap(options.staleIfError ?? defaults.staleIfError),
    softTimeout: options.softTimeout ?? defaults.softTimeout,
    waitTimeout: options.waitTimeout ?? defaults.waitTimeout,
    loadTimeout: options.loadTimeout ?? defaults.loadTimeout,
    onWaitTimeout: options.onWaitTimeout ?? defaults.onWaitTimeout,
    negativeTtl: options.negativeTtl ?? defaults.negativeTtl,
    failureTtl: options.failureTtl ?? defaults.failureTtl,
    forceFresh: options.forceFresh ?? defaults.forceFresh,
    jitter: options.jitter ?? defaults.jitter,
    tags: options.tags ?? NO_TAGS,
    codec: options.codec ?? (defaults.codec as Codec<V>),
    schema: options.schema ?? defaults.schema,
    waitUntil: options.waitUntil ?? defaults.waitUntil,
  }
}

export function cap(duration: number): number {
  return Math.min(duration, MAX_DURATION)
}

/** ms over which entries expire. Throws for what cannot be honoured. */
export function overOf(options: ExpireOptions): number {
  checkObject('options', options)
  return options.over === undefined ? 0 : duration('over', options.over)
}

/** Throws unless all are texts. */
export function checkTagNames(tags: unknown): asserts tags is readonly string[] {
  for (const tag of checkArray('tags', tags, 'an array of non-empty strings')) checkKey(tag, 'tag')
}

/** Throws unless all are texts, and few enough to be stored with an entry. */
export function checkTags(tags: unknown): asserts tags is readonly string[] {
  checkTagNames(tags)
  if (tags.length > MAX_TAGS) throw outOfRange('tags', `at most ${MAX_TAGS} strings`, tags)
}

function resolveFailureTtl(value: unknown): FailureTtl {
  if (typeof value === 'function') return value as FailureTtl
  if (typeof value !== 'number') throw wrongType('failureTtl', 'a number of milliseconds or a function', value)
  return duration('failureTtl', value)
}

/** ms for which this failure is to be remembered. Throws what a function of the application throws or returns wrongly. */
export function failureTtlOf(failureTtl: FailureTtl, error: unknown): number {
  return typeof failureTtl === 'number' ? failureTtl : duration('what failureTtl returns', failureTtl(error))
}

function share(option: string, value: unknown): number {
  return checkNumber(option, value, 'a number from 0 to below 1', (number) => number >= 0 && number < 1)
}

function resolveBeta(option: unknown): number {
  const { beta } = checkObject('earlyExpiration', option, 'an object with a beta') as { beta?: unknown }
  const isWithin = (number: number): boolean => number > 0 && Number.isFinite(number)
  return checkNumber('earlyExpiration.beta', beta, 'a number above 0', isWithin)
}

function resolveMemory(memory: CacheOptions['memory'], redis: readonly ClientPort[]): ResolvedOptions['memory'] {
  if (memory === false) {
    if (redis.length === 0) throw new RangeError('memory must not be false without redis: nothing would be cached')
    return false
  }
  if (memory !== undefined) checkObject('memory', memory, 'false or an object')
  const { maxEntries = DEFAULT_MAX_ENTRIES, maxBytes, ttl, tracking = false, unsyncedTtl } = memory ?? {}
  checkBoolean('memory.tracking', tracking)
  if (tracking && redis.some((client) => client.isCluster)) {
    throw new RangeError('memory.tracking must be false on a Cluster: each node tells of its own keys only')
  }
  return {
    maxEntries: count('memory.maxEntries', maxEntries),
    maxBytes: maxBytes === undefined ? undefined : count('memory.maxBytes', maxBytes),
    ttl: ttl === undefined ? undefined : positiveDuration('memory.ttl', ttl),
    tracking,
    unsyncedTtl: unsyncedTtl === undefined ? DEFAULT_UNSYNCED_TTL : positiveDuration('memory.unsyncedTtl', unsyncedTtl),
  }
}

function resolvePrefix(value: unknown): string {
  const prefix = checkString('prefix', value)
  // Braces would move the hash tag that keeps the keys of an entry in one Cluster slot.
  if (prefix === '' || /[{}]/.test(prefix) || !prefix.isWellFormed()) {
    throw outOfRange('prefix', 'a non-empty string without braces', prefix)
  }
  return prefix
}

/** Of a full key. */
function redactShown(redact: (key: string) => string): (key: string) => string {
  return (key) => redact(shownKey(key))
}

function resolveWaitUntil(waitUntil: CacheOptions['waitUntil']): CacheOptions['waitUntil'] {
  if (waitUntil !== undefined) checkFunction('waitUntil', waitUntil)
  return waitUntil
}

function resolveOnWaitTimeout(value: unknown): 'load' | 'throw' {
  return checkOneOf('onWaitTimeout', value, ['load', 'throw'])
}

function resolveSchema<V>(schema: StandardSchemaV1<V, unknown> | undefined): StandardSchemaV1 | undefined {
  if (schema !== undefined) checkSchema(schema)
  return schema
}

function resolveCodec<V>(codec: Codec<V>): Codec<V> {
  return checkMethods('codec', codec, 'an object with encode and decode', ['encode', 'decode'])
}
