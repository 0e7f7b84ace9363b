import { shownKey } from './full-key.ts'
import { splitVersion } from './key-version.ts'

/**
 * Every error that herdlock itself raises is a `HerdlockError` with a stable `code`. Errors of Redis, of loaders and
 * of abort signals are never wrapped: they surface as the same object.
 */
export class HerdlockError extends Error {
  override readonly name: string = 'HerdlockError'
  /** Stable, machine readable; the class may be told by it across realms and package copies. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The lock is held by someone else, or was had too late to be of use: then `cause` is a `LockLostError`. */
export class LockNotAcquiredError extends HerdlockError {
  override readonly name = 'LockNotAcquiredError'

  constructor(key: string, why = 'it is held elsewhere', options?: ErrorOptions) {
    super('LOCK_NOT_ACQUIRED', `lock ${quote(key)} was not acquired: ${why}`, options)
  }
}

/** The lock had expired, was deleted, or is held by someone else, at the moment it was to be released or extended. */
export class LockNotHeldError extends HerdlockError {
  override readonly name = 'LockNotHeldError'

  constructor(key: string, options?: ErrorOptions) {
    super('LOCK_NOT_HELD', `lock ${quote(key)} was not held: it expired or was taken by another holder`, options)
  }
}

/** A lock in several instances could not be released on all of them. On the others it was. */
export class LockReleaseError extends HerdlockError {
  override readonly name = 'LockReleaseError'
  /** As in an `AggregateError`: what each instance that failed had to say, in the order in which they were tried. */
  readonly errors: readonly unknown[]

  constructor(key: string, errors: readonly unknown[]) {
    const messages = errors.map((error) => (error instanceof Error ? error.message : String(error)))
    super('LOCK_RELEASE', `lock ${quote(key)} was not released everywhere: ${messages.join('; ')}`)
    this.errors = errors
  }
}

/** The reason of `lock.signal` when the lock is known, or must be presumed, to be lost. */
export class LockLostError extends HerdlockError {
  override readonly name = 'LockLostError'

  constructor(key: string, why: string, options?: ErrorOptions) {
    super('LOCK_LOST', `lock ${quote(key)} was lost: ${why}`, options)
  }
}

/**
 * The refill that this caller waited for failed in another process, or a load has failed within `failureTtl`; the message is
 * that of the loader's error.
 */
export class RefillFailedError extends HerdlockError {
  override readonly name = 'RefillFailedError'
  /** `name` of the error that the loader raised there. */
  readonly remoteName: string
  /** Host and process id of the process whose loader failed. */
  readonly origin: string

  constructor(key: string, remote: { name: string; message: string; origin: string }) {
    super('REFILL_FAILED', `refill of ${quote(key)} failed in ${remote.origin}: ${remote.name}: ${remote.message}`)
    this.remoteName = remote.name
    this.origin = remote.origin
  }
}

/** The loader did not settle within `loadTimeout`. */
export class LoadTimeoutError extends HerdlockError {
  override readonly name = 'LoadTimeoutError'

  constructor(key: string, loadTimeout: number) {
    super('LOAD_TIMEOUT', `loader of ${quote(key)} did not settle within loadTimeout (${loadTimeout} ms)`)
  }
}

/** Another caller's refill did not end within `waitTimeout`, and `onWaitTimeout` is `'throw'`. */
export class WaitTimeoutError extends HerdlockError {
  override readonly name = 'WaitTimeoutError'

  constructor(key: string, waitTimeout: number) {
    super(
      'WAIT_TIMEOUT',
      `the refill of ${quote(key)} by another caller did not end within waitTimeout (${waitTimeout} ms)`,
    )
  }
}

/** As many loads run as `maxLoads` allows, and no slot became free within `waitTimeout`. */
export class OverloadedError extends HerdlockError {
  override readonly name = 'OverloadedError'
  /** Seconds after which it is worth trying again: an estimate by the length of the line. */
  readonly retryAfter: number

  constructor(key: string, maxLoads: number, retryAfter: number) {
    const why = `all slots are taken (maxLoads: ${maxLoads}); try again in ${retryAfter} s`
    super('OVERLOADED', `no slot to load ${quote(key)} became free in time: ${why}`)
    this.retryAfter = retryAfter
  }
}

/** A refill that was claimed was abandoned. Nobody who waits for it gets this: they go on without it. */
export class ClaimAbandonedError extends HerdlockError {
  override readonly name = 'ClaimAbandonedError'

  constructor(key: string) {
    super('CLAIM_ABANDONED', `the claimed refill of ${quote(key)} was abandoned`)
  }
}

/**
 * The producer of a stream is gone, and what this reader has had of it cannot be gone on with: its process died or froze, or
 * Redis does not answer.
 */
export class ProducerLostError extends HerdlockError {
  override readonly name = 'ProducerLostError'

  constructor(key: string, why: string) {
    super('PRODUCER_LOST', `the producer of stream ${quote(key)} was lost: ${why}`)
  }
}

/** The producer of a stream has gone beyond one of its bounds, of which `option` is the name. */
export class StreamLimitError extends HerdlockError {
  override readonly name = 'StreamLimitError'
  readonly option: string
  readonly bound: number

  constructor(key: string, option: string, bound: number) {
    super('STREAM_LIMIT', `stream ${quote(key)} went beyond ${option} (${bound})`)
    this.option = option
    this.bound = bound
  }
}

/** A loader asked, directly or through other loaders, for the very key that it is refilling. */
export class ReentrantRefillError extends HerdlockError {
  override readonly name = 'ReentrantRefillError'

  constructor(chain: readonly string[]) {
    super('REENTRANT_REFILL', `a loader waits for its own refill: ${chain.map(quote).join(' → ')}`)
  }
}

/** The value cannot be encoded without loss. The caller gets the value; it is not stored; this error is reported. */
export class SerializationError extends HerdlockError {
  override readonly name = 'SerializationError'

  constructor(message: string, options?: ErrorOptions) {
    super('SERIALIZATION', message, options)
  }
}

/** What a schema objects to in a value, as Standard Schema has it. */
export interface ValidationIssue {
  readonly message: string
  /** Where in the value: keys from the outside in. */
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined
}

/** What a loader made, or `set` was given, is not valid by the cache's or the call's `schema`. It is not stored. */
export class InvalidValueError extends HerdlockError {
  override readonly name = 'InvalidValueError'
  /** What the schema objects to. */
  readonly issues: readonly ValidationIssue[]

  constructor(key: string, issues: readonly ValidationIssue[]) {
    super('INVALID_VALUE', `the value of ${quote(key)} is not valid: ${describeIssues(issues)}`)
    this.issues = issues
  }
}

const ISSUES_SHOWN = 3

function describeIssues(issues: readonly ValidationIssue[]): string {
  const shown = issues.slice(0, ISSUES_SHOWN).map(({ message, path = [] }) => {
    const place = path.map((step) => String(typeof step === 'object' ? step.key : step)).join('.')
    return place === '' ? message : `${place}: ${message}`
  })
  return [...shown, ...(issues.length > ISSUES_SHOWN ? [`${issues.length - ISSUES_SHOWN} more`] : [])].join('; ')
}

/** The cache or locker was closed. */
export class ClosedError extends HerdlockError {
  override readonly name = 'ClosedError'

  constructor(what: string) {
    super('CLOSED', `the ${what} is closed`)
  }
}

/**
 * Redis did not answer an operation within herdlock's own deadline (`commandTimeout`). `cause`, where there is one, is
 * the last error of the client's connection.
 */
export class RedisTimeoutError extends HerdlockError {
  override readonly name = 'RedisTimeoutError'
  /** Host and port of the instance, never its credentials. */
  readonly instance: string

  constructor(instance: string, commandTimeout: number, options?: ErrorOptions) {
    super('REDIS_TIMEOUT', `${instance} did not answer within commandTimeout (${commandTimeout} ms)`, options)
    this.instance = instance
  }
}

/** Redis answered something that is no reply to what was asked, as while a `MULTI` is open on a shared connection. */
export class UnexpectedReplyError extends HerdlockError {
  override readonly name = 'UnexpectedReplyError'

  constructor(why: string) {
    super('UNEXPECTED_REPLY', `Redis answered something unexpected: ${why}`)
  }
}

/**
 * The connection on which messages of other processes arrive could not be opened, or did not last; `cause` says why.
 * It is tried again and again. Until then waiting takes longer, and changes by other processes are heard of late.
 */
export class SubscriberError extends HerdlockError {
  override readonly name = 'SubscriberError'
  /** Host and port of the instance, never its credentials. */
  readonly instance: string

  constructor(instance: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause)
    super('SUBSCRIBER', `the connection to ${instance} for messages does not stand: ${why}`, { cause })
    this.instance = instance
  }
}

/** An operation was not tried because its Redis has failed several times in a row and is left alone for a while. */
export class BreakerOpenError extends HerdlockError {
  override readonly name = 'BreakerOpenError'

  constructor(instance: string, failures: number) {
    super('BREAKER_OPEN', `${instance} has failed ${failures} times in a row and is left alone for a while`)
  }
}

/**
 * `TypeError` of an option or argument of the wrong type: names the option, what was expected and what came, of which
 * `more` says more.
 */
export function wrongType(option: string, expected: string, received: unknown, more = ''): TypeError {
  return new TypeError(`${option} must be ${expected}, received ${describe(received)}${more}`)
}

/** `RangeError` of an option or argument of the right type but out of range. */
export function outOfRange(option: string, expected: string, received: unknown): RangeError {
  return new RangeError(`${option} must be ${expected}, received ${describe(received)}`)
}

/** What an error says, or another thing that was thrown; never throws, whatever that is. */
export function messageOf(error: unknown): string {
  try {
    return String((error as { message?: unknown } | null | undefined)?.message ?? error)
  } catch {
    return 'it cannot be printed'
  }
}

/** `instanceof` for what comes from the application: a proxy may throw at that question, and then is none. */
export function isInstance<T>(value: unknown, type: abstract new (...given: never[]) => T): value is T {
  try {
    return value instanceof type
  } catch {
    return false
  }
}

/** A full key or other text from outside, shortened and with control characters escaped, for use in messages. */
export function quote(text: string): string {
  const { key, version } = splitVersion(text)
  const shown = shownKey(key)
  const quoted = JSON.stringify(shown.length > 120 ? `${shown.slice(0, 119)}…` : shown)
  return version === undefined ? quoted : `${quoted} (version ${quote(version)})`
}

function describe(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return quote(value)
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value)
    case 'bigint':
      return `${value}n`
    case 'function':
      return 'a function'
    case 'symbol':
      return 'a symbol'
    default:
      return value === null ? 'null' : Array.isArray(value) ? 'an array' : 'an object'
  }
}
