import type { IncomingMessage } from 'node:http'

import type { Cache } from '../cache/cache.ts'
import {
  checkArray,
  checkBoolean,
  checkFunction,
  checkMethods,
  checkObject,
  checkString,
  count,
  duration,
  MAX_DURATION,
  wholeNumber,
} from '../check.ts'
import { outOfRange } from '../errors.ts'
import { isToken } from './rules/grammar.ts'
import type { Policy } from './rules/storable.ts'

/** Options of `singleFlight`. All durations are whole milliseconds. */
export interface SingleFlightOptions {
  /** Where responses are kept. Default: a memory-only cache of this middleware's own. */
  cache?: Cache | undefined
  /**
   * ms of freshness for responses that state none (no max-age, s-maxage or Expires). Only for statuses that mean the
   * same for some time: never for 400, 405, 413, 414, 431 and 5xx. Default: such responses are not stored.
   */
  ttl?: number | undefined
  /**
   * ms after `ttl` in which the stale response is sent at once while the handler runs in the background. For responses
   * that state their own freshness their own `stale-while-revalidate` counts (RFC 5861). Default 0.
   */
  staleWhileRevalidate?: number | undefined
  /** ms after `ttl` in which the stale response is sent when the handler fails with 500, 502, 503 or 504. Default 0. */
  staleIfError?: number | undefined
  /**
   * What identifies a response, in place of scheme, host and URL (the method and Vary still count). `undefined`: this
   * request is none of the cache's business. Default: the exact bytes of host and URL.
   */
  key?: ((req: IncomingMessage) => string | undefined) | undefined
  /** Names of request header fields whose values are part of the key, for handlers that use them without saying Vary. */
  keyHeaders?: readonly string[] | undefined
  /**
   * `true`: the handler's answers do not depend on the request's cookies, so that requests with cookies share answers as
   * those without do. Default `false`: they share only what says `public` or `s-maxage`.
   */
  ignoreCookies?: boolean | undefined
  /** Largest body that is stored or shared, in bytes; larger ones stream through. Default 4 MiB. */
  maxBodyBytes?: number | undefined
  /** Most variants of one URL (Vary) that this process keeps; the oldest goes. Default 64. */
  maxVariants?: number | undefined
  /** Most requests that wait for one handler run; further ones run their own. Default 10 000. */
  maxWaiters?: number | undefined
  /** ms after a response that may not be shared, in which requests for it do not wait for one another. Default 60 000. */
  unsharedFor?: number | undefined
  /**
   * Response fields that take the place of Cache-Control for this cache, the first one present counts (RFC 9213). Behind
   * a CDN of your own add `'CDN-Cache-Control'`. A `no-store` in Surrogate-Control counts in any case.
   * Default `['SingleFlight-Cache-Control']`.
   */
  targetedFields?: readonly string[] | undefined
  /**
   * A response that states no freshness but a Last-Modified is fresh for a tenth of the time since then, a day at most
   * (RFC 9111 section 4.2.2), unless `ttl` says how long. Default `false`: it is not stored.
   */
  heuristicFreshness?: boolean | undefined
  /**
   * `true`: an answer to a request with Authorization that says `must-revalidate` is for others too, as RFC 9111 section
   * 3.5 allows. Default `false`: only `public` and `s-maxage` say so.
   */
  shareMustRevalidate?: boolean | undefined
}

/** The options, checked and complete. */
export interface Settings extends Policy {
  readonly key: ((req: IncomingMessage) => string | undefined) | undefined
  readonly keyHeaders: readonly string[]
  readonly ignoreCookies: boolean
  readonly maxBodyBytes: number
  readonly maxVariants: number
  readonly maxWaiters: number
  readonly unsharedFor: number
}

const TTL = { least: 1, most: MAX_DURATION, expected: 'a whole number of milliseconds, 1 or more' }
const DEFAULT_TARGETED_FIELDS = ['SingleFlight-Cache-Control']

/** Throws `TypeError` or `RangeError` naming the option at fault. */
export function resolveOptions(options: SingleFlightOptions): Settings {
  checkObject('options', options)
  const { cache, key } = options
  if (cache !== undefined) checkMethods('cache', cache, 'a Cache', ['getOrRefill'])
  if (key !== undefined) checkFunction('key', key)
  return {
    ttl: options.ttl === undefined ? undefined : wholeNumber('ttl', options.ttl, TTL),
    staleWhileRevalidate: duration('staleWhileRevalidate', options.staleWhileRevalidate ?? 0),
    staleIfError: duration('staleIfError', options.staleIfError ?? 0),
    key,
    keyHeaders: fieldNames('keyHeaders', options.keyHeaders ?? []),
    ignoreCookies: checkBoolean('ignoreCookies', options.ignoreCookies ?? false),
    maxBodyBytes: count('maxBodyBytes', options.maxBodyBytes ?? 4 * 1024 * 1024),
    maxVariants: count('maxVariants', options.maxVariants ?? 64),
    maxWaiters: count('maxWaiters', options.maxWaiters ?? 10_000),
    unsharedFor: duration('unsharedFor', options.unsharedFor ?? 60_000),
    targetedFields: fieldNames('targetedFields', options.targetedFields ?? DEFAULT_TARGETED_FIELDS),
    heuristicFreshness: checkBoolean('heuristicFreshness', options.heuristicFreshness ?? false),
    shareMustRevalidate: checkBoolean('shareMustRevalidate', options.shareMustRevalidate ?? false),
  }
}

function fieldNames(option: string, value: unknown): readonly string[] {
  return checkArray(option, value, 'an array of field names').map((each, index) => {
    const where = `${option}[${index}]`
    const name = checkString(where, each, 'a field name')
    if (!isToken(name)) throw outOfRange(where, 'a field name', name)
    return name.toLowerCase()
  })
}
