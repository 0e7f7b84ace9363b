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
  /** ms for which an entry is fresh. Required. */
  ttl: number
  /** ms after `ttl` in which the stale value is served at once while one caller refills it (RFC 5861). Default 0. */
  staleWhileRevalidate?: number | undefined
  /** ms after `ttl` in which the stale value is served when the refill fails (RFC 5861). Default 0. */
  staleIfError?: number | undefined
  /**
   * A client of ioredis, iovalkey, node-redis or GLIDE, or several during a migration. Absent: memory only. The cache
   * never closes it.
   */
  redis?: RedisClient | readonly RedisClient[] | undefined
  /** First part of every key and channel in Redis. Default `'herdlock'`. */
  prefix?: string | undefined
  /**
   * The tier in the memory of this process (L1). `false` switches it off, only with `redis`. Default `{ maxEntries:
   * 10_000 }`.
   */
  memory?: false | MemoryOptions | undefined
  /**
   * ms that the lease of a refill lasts. It is extended while the loader runs. After a crash, others wait no longer than
   * this. Default 3000.
   */
  lockTtl?: number | undefined
  /** ms that a loader may run. Then its `signal` aborts and callers get `LoadTimeoutError`. Default 30 000. */
  loadTimeout?: number | undefined
  /** ms to wait for a refill in another process. Default 30 000. */
  waitTimeout?: number | undefined
  /** ms to wait for the fresh value when a stale one could be served at once. Default 0. */
  softTimeout?: number | undefined
  /** After `waitTimeout`: `'load'` runs this caller's loader without storing, `'throw'` rejects with `WaitTimeoutError`. Default `'load'`. */
  onWaitTimeout?: 'load' | 'throw' | undefined
  /** ms that one Redis operation may take, or less if the client itself waits less. Default 1000. */
  commandTimeout?: number | undefined
  /** ms for which a `null` is fresh, instead of `ttl`. "There is none" often changes sooner than a value. Default: `ttl`. */
  negativeTtl?: number | undefined
  /**
   * ms for which all processes remember a failed load, if there is no stale value: callers get `RefillFailedError` at
   * once. Or a function that returns these ms for an error. 0: the failure is not remembered. Default 0.
   */
  failureTtl?: FailureTtl | undefined
  /** Share of the ttl, from 0 to below 1. The ttl is shortened at random by up to this share. Default 0. */
  jitter?: number | undefined
  /**
   * May refill a fresh entry before it expires. The chance grows towards the end of `ttl`, and with the time that the
   * load took (XFetch). A `beta` above 1 refills earlier, one below 1 later; 1 is the usual choice. Default: off.
   */
  earlyExpiration?: { beta: number } | undefined
  /** Whether every call loads, even if a value is stored. The loaded value is stored. See `CallOptions`. Default `false`. */
  forceFresh?: boolean | undefined
  /** How values become bytes for Redis, and back. Default: JSON, extended for values that JSON cannot express. */
  codec?: Codec | undefined
  /**
   * Version of the shape of values. It is part of every key: values of a new version start cold, and values of the old
   * one stay for programs that still read them. `clear` and tags act on all versions. Default: none.
   */
  version?: string | number | undefined
  /**
   * A schema that every value must satisfy: a Standard Schema of version 1, for example from zod, valibot or arktype. An
   * invalid value from a loader or for `set` fails with `InvalidValueError`. An invalid value in Redis counts as not
   * found. Values are handed out unchanged, whatever the schema would transform them into. Hits in memory are not
   * checked. Default: none.
   */
  schema?: StandardSchemaV1 | undefined
  /**
   * Called with the promise of work that goes on after a caller has its answer: background refills, and storing. For
   * hosts that freeze a process after its response: pass the host's function of that name. The promise never rejects.
   * Default: none.
   */
  waitUntil?: ((work: Promise<unknown>) => void) | undefined
  /**
   * How many loads of this cache may run at once, across all processes that share its Redis; without Redis, in this
   * process. Above the limit a caller gets a stale value, if one may be used. Otherwise it waits in line for at most
   * `waitTimeout`, and then rejects with `OverloadedError`. A batch counts as one load. Loads that a loader itself asks
   * for count together with it. Default: no limit.
   */
  maxLoads?: number | undefined
  /** What telemetry calls this cache. Default: `prefix`. */
  name?: string | undefined
  /**
   * Maps a key to what diagnostics channels, and so OpenTelemetry, get instead. Called only if somebody subscribes.
   * Listeners of `on` belong to the application and get the key itself. Default: the key itself.
   */
  redactKey?: ((key: string) => string) | undefined
}

export interface MemoryOptions {
  /** Most entries in memory. Beyond that, the least recently used is dropped. Default 10 000. */
  maxEntries?: number | undefined
  /** Most bytes of all values together, as encoded by the codec. Default: no limit. */
  maxBytes?: number | undefined
  /**
   * Also drops entries from memory that other programs change or delete in Redis, even by hand. It costs each process a
   * message for every write under the prefix, including its own, and then one more read of that key. Not on a Cluster.
   * Default `false`.
   */
  tracking?: boolean | undefined
  /** ms for which memory may answer before Redis is asked again, if that is shorter than the entry's `ttl`. Default: none. */
  ttl?: number | undefined
  /**
   * ms for which memory may answer while the connection for messages of other processes is down. Only with `redis`.
   * Default 1000.
   */
  unsyncedTtl?: number | undefined
  /**
   * Which changes by other processes this process is told of. `'all'`: those of every key. `'held'`: those of keys that are
   * in its memory or being loaded, and of tags and namespaces. In a fleet of hundreds of processes, that takes most of the
   * work of messages off Redis. The first entry of a key, or of those that share one of 65 536 parts with it, may be
   * served for `unsyncedTtl` only; then Redis is asked once more. At most 1000 parts are listened to; further keys are
   * served for `unsyncedTtl`. Only with `redis`, not on a Cluster, not with `tracking`. Default `'all'`.
   */
  messages?: 'all' | 'held' | undefined
}

/** The version of a key's value. */
export interface VersionOptions {
  /** Replaces the `version` of the cache. */
  version?: string | number | undefined
}

/** ms for which a failed load is remembered, or a function that returns them for an error. */
export type FailureTtl = number | ((error: unknown) => number)

/** How long an entry may be used. */
export interface Lifetime {
  ttl?: number | undefined
  staleWhileRevalidate?: number | undefined
  staleIfError?: number | undefined
}

/** Options of one call. They override those of the cache. When callers share a load, the options of the first one count. */
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
   * Whether the call loads even if a value is stored. It may share a load that has not started yet with other such calls.
   * The loaded value is stored for all. Meanwhile other callers are served as before. Default `false`.
   */
  forceFresh?: boolean | undefined
  jitter?: number | undefined
  codec?: Codec<V> | undefined
  schema?: StandardSchemaV1<V, unknown> | undefined
  /** Replaces the `waitUntil` of the cache, for hosts that give each request its own. */
  waitUntil?: ((work: Promise<unknown>) => void) | undefined
}

/** Options of `expireTags`. */
export interface ExpireOptions {
  /** ms over which entries expire, each at a moment that a hash of its key chooses. Default 0: all at once. */
  over?: number | undefined
}

/** The same with a schema, which gives the type of the values. */
export type CallOptionsWith<T extends StandardSchemaV1> = CallOptions<ValueOf<T>> & { schema: T }

/** The options in force for one call: its own, or else those of the cache. */
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

/** The options in force for calls without options, and for the cache as a whole. */
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
  readonly messages: 'all' | 'held'
  readonly unsyncedTtl: number
}

/** Tags that one entry may have. */
const MAX_TAGS = 100
const DEFAULT_MAX_ENTRIES = 10_000
export const DEFAULT_UNSYNCED_TTL = 1000

/**
 * Checks and completes the options. Throws a `TypeError` or `RangeError` that names the invalid option. `portsOf` returns
 * the ports of `options.redis`, or none if it is absent.
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

/** Throws for invalid options of a call, before anything is done. */
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

/** The same for calls that take only a version. */
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

/** ms over which entries expire. Throws for invalid options. */
export function overOf(options: ExpireOptions): number {
  checkObject('options', options)
  return options.over === undefined ? 0 : duration('over', options.over)
}

/** Throws unless all are non-empty strings. */
export function checkTagNames(tags: unknown): asserts tags is readonly string[] {
  for (const tag of checkArray('tags', tags, 'an array of non-empty strings')) checkKey(tag, 'tag')
}

/** Throws unless all are non-empty strings, and few enough to be stored with an entry. */
export function checkTags(tags: unknown): asserts tags is readonly string[] {
  checkTagNames(tags)
  if (tags.length > MAX_TAGS) throw outOfRange('tags', `at most ${MAX_TAGS} strings`, tags)
}

function resolveFailureTtl(value: unknown): FailureTtl {
  if (typeof value === 'function') return value as FailureTtl
  if (typeof value !== 'number') throw wrongType('failureTtl', 'a number of milliseconds or a function', value)
  return duration('failureTtl', value)
}

/** ms for which this failure is to be remembered. Throws if the application's function throws or returns an invalid number. */
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
  const { maxEntries = DEFAULT_MAX_ENTRIES, maxBytes, ttl, tracking = false, unsyncedTtl, messages } = memory ?? {}
  checkBoolean('memory.tracking', tracking)
  if (tracking && redis.some((client) => client.isCluster)) {
    throw new RangeError('memory.tracking must be false on a Cluster: each node tells of its own keys only')
  }
  return {
    maxEntries: count('memory.maxEntries', maxEntries),
    maxBytes: maxBytes === undefined ? undefined : count('memory.maxBytes', maxBytes),
    ttl: ttl === undefined ? undefined : positiveDuration('memory.ttl', ttl),
    tracking,
    messages: resolveMessages(messages, tracking, redis),
    unsyncedTtl: unsyncedTtl === undefined ? DEFAULT_UNSYNCED_TTL : positiveDuration('memory.unsyncedTtl', unsyncedTtl),
  }
}

function resolveMessages(messages: unknown, tracking: boolean, redis: readonly ClientPort[]): 'all' | 'held' {
  if (messages === undefined || checkOneOf('memory.messages', messages, ['all', 'held']) === 'all') return 'all'
  if (tracking) throw new RangeError("memory.messages must be 'all' with memory.tracking, which tells of every key")
  if (redis.some((client) => client.isCluster)) {
    throw new RangeError("memory.messages must be 'all' on a Cluster: each node gets every message anyway")
  }
  return 'held'
}

function resolvePrefix(value: unknown): string {
  const prefix = checkString('prefix', value)
  // Braces would move the hash tag that keeps the keys of an entry in one Cluster slot.
  if (prefix === '' || /[{}]/.test(prefix) || !prefix.isWellFormed()) {
    throw outOfRange('prefix', 'a non-empty string without braces', prefix)
  }
  return prefix
}

/** The redaction of a full key. */
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
