import { shownKey } from './full-key.ts'
import { splitVersion } from './key-version.ts'

/**
 * Every error that herdlock itself raises is a `HerdlockError` with a stable `code`. Errors of Redis, of loaders and
 * of abort signals are never wrapped: they surface as the same object.
 */
export class HerdlockError extends Error {
  override readonly name: string = 'HerdlockError'
  /** Stable and machine readable. Use it to recognise an error across realms and copies of the package. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The lock is held by someone else, or it was acquired too late to be useful: then `cause` is a `LockLostError`. */
export class LockNotAcquiredError extends HerdlockError {
  override readonly name = 'LockNotAcquiredError'

  constructor(key: string, why = 'it is held elsewhere', options?: ErrorOptions) {
    super('LOCK_NOT_ACQUIRED', `lock ${quote(key)} was not acquired: ${why}`, options)
  }
}

/** When the lock was to be released or extended, it had expired, was deleted, or was held by someone else. */
export class LockNotHeldError extends HerdlockError {
  override readonly name = 'LockNotHeldError'

  constructor(key: string, options?: ErrorOptions) {
    super('LOCK_NOT_HELD', `lock ${quote(key)} was not held: it expired or was taken by another holder`, options)
  }
}

/** A lock in several instances was not released on some of them. On the others it was released. */
export class LockReleaseError extends HerdlockError {
  override readonly name = 'LockReleaseError'
  /** As in an `AggregateError`: the error of each instance that failed, in the order in which they were tried. */
  readonly errors: readonly unknown[]

  constructor(key: string, errors: readonly unknown[]) {
    const messages = errors.map(messageOf)
    super('LOCK_RELEASE', `lock ${quote(key)} was not released everywhere: ${messages.join('; ')}`)
    this.errors = errors
  }
}

/** The reason of `lock.signal` when the lock is lost, or may be. */
export class LockLostError extends HerdlockError {
  override readonly name = 'LockLostError'

  constructor(key: string, why: string, options?: ErrorOptions) {
    super('LOCK_LOST', `lock ${quote(key)} was lost: ${why}`, options)
  }
}

/**
 * The refill that this caller waited for failed in another process, or a load has failed within the last `failureTtl`.
 * The message contains that of the loader's error.
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
  /** Seconds after which to try again, estimated from the length of the line. */
  readonly retryAfter: number

  constructor(key: string, maxLoads: number, retryAfter: number) {
    const why = `all slots are taken (maxLoads: ${maxLoads}); try again in ${retryAfter} s`
    super('OVERLOADED', `no slot to load ${quote(key)} became free in time: ${why}`)
    this.retryAfter = retryAfter
  }
}

/** A claimed refill was abandoned. Waiting callers never get this error: they go on without that refill. */
export class ClaimAbandonedError extends HerdlockError {
  override readonly name = 'ClaimAbandonedError'

  constructor(key: string) {
    super('CLAIM_ABANDONED', `the claimed refill of ${quote(key)} was abandoned`)
  }
}

/**
 * The producer of a stream is gone, and this reader cannot continue what it has read: the producer's process died or
 * froze, or Redis does not answer.
 */
export class ProducerLostError extends HerdlockError {
  override readonly name = 'ProducerLostError'

  constructor(key: string, why: string) {
    super('PRODUCER_LOST', `the producer of stream ${quote(key)} was lost: ${why}`)
  }
}

/** The producer of a stream has exceeded one of its limits. `option` names the limit. */
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

/** A loader asked, directly or through other loaders, for the key that it is refilling. */
export class ReentrantRefillError extends HerdlockError {
  override readonly name = 'ReentrantRefillError'

  constructor(chain: readonly string[]) {
    super('REENTRANT_REFILL', `a loader waits for its own refill: ${chain.map(quote).join(' → ')}`)
  }
}

/** The value cannot be encoded without loss. The caller gets the value, it is not stored, and an `error` event reports this. */
export class SerializationError extends HerdlockError {
  override readonly name = 'SerializationError'

  constructor(message: string, options?: ErrorOptions) {
    super('SERIALIZATION', message, options)
  }
}

/** One problem that a schema found in a value, as defined by Standard Schema. */
export interface ValidationIssue {
  readonly message: string
  /** Where in the value: the keys from the outside in. */
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined
}

/** The `schema` of the cache or of the call refused a value from a loader or for `set`. The value is not stored. */
export class InvalidValueError extends HerdlockError {
  override readonly name = 'InvalidValueError'
  /** The problems that the schema found. */
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
 * Redis did not answer an operation within herdlock's own deadline (`commandTimeout`). `cause`, if there is one, is the
 * last error of the client's connection.
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

/** Redis sent a reply that does not fit the command, for example because a `MULTI` is open on a shared connection. */
export class UnexpectedReplyError extends HerdlockError {
  override readonly name = 'UnexpectedReplyError'

  constructor(why: string) {
    super('UNEXPECTED_REPLY', `Redis answered something unexpected: ${why}`)
  }
}

/**
 * The connection for messages of other processes could not be opened, or did not last; `cause` says why. It is tried
 * again and again. Until it is open, waiting takes longer, and changes by other processes arrive late.
 */
export class SubscriberError extends HerdlockError {
  override readonly name = 'SubscriberError'
  /** Host and port of the instance, never its credentials. */
  readonly instance: string

  constructor(instance: string, cause: unknown) {
    const why = messageOf(cause)
    super('SUBSCRIBER', `the connection to ${instance} for messages is not open: ${why}`, { cause })
    this.instance = instance
  }
}

/** An operation was not tried, because its Redis has failed several times in a row and is left alone for a while. */
export class BreakerOpenError extends HerdlockError {
  override readonly name = 'BreakerOpenError'

  constructor(instance: string, failures: number) {
    super('BREAKER_OPEN', `${instance} has failed ${failures} times in a row and is left alone for a while`)
  }
}

/**
 * `TypeError` for an option or argument of the wrong type. It names the option, what was expected and what came. `more`
 * adds details.
 */
export function wrongType(option: string, expected: string, received: unknown, more = ''): TypeError {
  return new TypeError(`${option} must be ${expected}, received ${describe(received)}${more}`)
}

/** `RangeError` for an option or argument of the right type but out of range. */
export function outOfRange(option: string, expected: string, received: unknown): RangeError {
  return new RangeError(`${option} must be ${expected}, received ${describe(received)}`)
}

/** The message of an error, or of any other thrown value. Never throws. */
export function messageOf(error: unknown): string {
  try {
    return String((error as { message?: unknown } | null | undefined)?.message ?? error)
  } catch {
    return 'it cannot be printed'
  }
}

/** `instanceof` for values from the application. A proxy may throw when it is asked; then the answer is no. */
export function isInstance<T>(value: unknown, type: abstract new (...given: never[]) => T): value is T {
  try {
    return value instanceof type
  } catch {
    return false
  }
}

/** A full key or other text from outside, shortened and with control characters escaped, for messages. */
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
