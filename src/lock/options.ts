import { checkBoolean, checkFunction, checkObject, checkSignal, positiveDuration } from '../check.ts'
import { MAX_DELAY } from '../clock.ts'
import type { RedisClient } from '../redis/clients/port-of.ts'

/** Options of `new Locker`. */
export interface LockerOptions {
  /**
   * One client of ioredis, iovalkey, node-redis or GLIDE. Or several: then every lock is held in all of them, and is
   * acquired in this order. To avoid deadlocks, the order must be the same in all processes. The locker never closes
   * them.
   */
  clients: RedisClient | readonly RedisClient[]
  /** ms that one Redis operation may take, or less if the client itself waits less. Default 1000. */
  commandTimeout?: number | undefined
  /**
   * ms for which a lock goes from waiter to waiter without a break. After that it is left free for 60 ms, so that
   * programs that only poll can get it too. Then the queue goes on. `Infinity`: never left free. Default 2000.
   */
  yieldAfter?: number | undefined
  /** Maps a key to what diagnostics channels, and so OpenTelemetry, get instead. Default: the key itself. */
  redactKey?: ((key: string) => string) | undefined
}

/** Options of one acquisition. */
export interface AcquireOptions {
  /** Gives up the acquisition, not the lock: the call rejects with `signal.reason` and leaves nothing behind. */
  signal?: AbortSignal | undefined
  /** Also takes a fencing token, in the same round trip. Default `false`. */
  fencing?: boolean | undefined
  /** Extends the lock each time a third of its ttl has passed, until it is released or lost. Default `false`. */
  autoExtend?: boolean | undefined
}

const DEFAULT_COMMAND_TIMEOUT = 1000
const DEFAULT_YIELD_AFTER = 2000
/** The longest ttl in ms, 24.8 days. Longer ones, including `Infinity`, are reduced to it. */
const MAX_TTL: number = MAX_DELAY

export function resolveCommandTimeout(value: unknown = DEFAULT_COMMAND_TIMEOUT): number {
  return positiveDuration('commandTimeout', value, MAX_TTL)
}

export function resolveYieldAfter(value: unknown = DEFAULT_YIELD_AFTER): number {
  return value === Infinity ? Infinity : positiveDuration('yieldAfter', value, MAX_TTL)
}

/** The redaction in force. If it throws, no call fails, and the key is not shown. */
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

/** The ttl in force. Throws if it is invalid. */
export function resolveTtl(ttl: unknown): number {
  return positiveDuration('ttl', ttl, MAX_TTL)
}

/** The options in force. Throws if they are invalid. */
export function resolveAcquireOptions(options: AcquireOptions | undefined): AcquireOptions {
  if (options === undefined) return {}
  checkObject('options', options)
  checkSignal(options.signal)
  if (options.fencing !== undefined) checkBoolean('fencing', options.fencing)
  if (options.autoExtend !== undefined) checkBoolean('autoExtend', options.autoExtend)
  return options
}
