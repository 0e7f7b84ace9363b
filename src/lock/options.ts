import { checkBoolean, checkFunction, checkObject, checkSignal, positiveDuration } from '../check.ts'
import { MAX_DELAY } from '../clock.ts'
import type { RedisClient } from '../redis/clients/port-of.ts'

/** Options of `new Locker`. */
export interface LockerOptions {
  /**
   * One client of ioredis, node-redis or GLIDE, or several in which every lock is then held. The order is the order
   * of acquisition: to avoid deadlocks it must be the same in all processes. The locker never closes them.
   */
  clients: RedisClient | readonly RedisClient[]
  /** ms that any one Redis operation may take, or less if the client itself waits less. Default 1000. */
  commandTimeout?: number | undefined
  /**
   * ms for which a lock is handed from waiter to waiter without having been free. After that it is left free for 60 ms,
   * so that programs which only poll for it get it too; then the queue goes on. Default 2000; `Infinity`: never.
   */
  yieldAfter?: number | undefined
  /** What diagnostics channels, and so OpenTelemetry, are told in place of a key. Default: the key itself. */
  redactKey?: ((key: string) => string) | undefined
}

/** Options of one acquisition. */
export interface AcquireOptions {
  /** Gives up the acquisition, not the lock: the call rejects with `signal.reason` and leaves nothing behind. */
  signal?: AbortSignal | undefined
  /** Takes a fencing token along with the lock, in the same round trip. Default `false`. */
  fencing?: boolean | undefined
  /** Extends the lock again and again until it is released or lost. Default `false`. */
  autoExtend?: boolean | undefined
}

const DEFAULT_COMMAND_TIMEOUT = 1000
const DEFAULT_YIELD_AFTER = 2000
/** The longest ttl in ms, 24.8 days; longer ones, `Infinity` included, are cut to it. */
const MAX_TTL: number = MAX_DELAY

export function resolveCommandTimeout(value: unknown = DEFAULT_COMMAND_TIMEOUT): number {
  return positiveDuration('commandTimeout', value, MAX_TTL)
}

export function resolveYieldAfter(value: unknown = DEFAULT_YIELD_AFTER): number {
  return value === Infinity ? Infinity : positiveDuration('yieldAfter', value, MAX_TTL)
}

/** The redaction that is in force. Should it throw, no call suffers, and no key is told. */
export function resolveRedactKey(redactKey: LockerOptions['redactKey']): (key: string) => string {
  if (redactKey === undefined) return asItIs
  checkFunction('redactKey', redactKey)
  return (key) => {
    try {
      return String(redactKey(key))
    } catch {
      return '(redaction failed)'
    }
  }
}

function asItIs(key: string): string {
  return key
}

/** The ttl that is in force; throws when it is none. */
export function resolveTtl(ttl: unknown): number {
  return positiveDuration('ttl', ttl, MAX_TTL)
}

/** The options that are in force; throws when they are none. */
export function resolveAcquireOptions(options: AcquireOptions | undefined): AcquireOptions {
  if (options === undefined) return {}
  checkObject('options', options)
  checkSignal(options.signal)
  if (options.fencing !== undefined) checkBoolean('fencing', options.fencing)
  if (options.autoExtend !== undefined) checkBoolean('autoExtend', options.autoExtend)
  return options
}
