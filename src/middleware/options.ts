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
  positiveDuration,
  wholeNumber,
} from '../check.ts'
import { outOfRange } from '../errors.ts'
import { matcherOf } from './request/query.ts'
import type { KeyRules } from './request/request-key.ts'
import type { SelectingRules } from './request/selecting-fields.ts'
import { isToken } from './rules/grammar.ts'
import type { Policy } from './rules/storable.ts'
import type { Offers } from './rules/vary-normalise.ts'

/** Options of `singleFlight`. `Native` is the server's type of request. All durations are whole milliseconds. */
export interface OptionsFor<Native> {
  /** Where responses are kept. Default: a memory-only cache of this middleware's own. */
  cache?: Cache | undefined
  /**
   * ms of freshness for responses that state none (no max-age, s-maxage or Expires). Only for statuses that mean the
   * same for some time: never for 400, 405, 413, 414, 431 and 5xx. Default: such responses are not stored.
   */
  ttl?: number | undefined
  /**
   * ms after `ttl` in which the stale response is sent at once while the handler runs in the background. If a response
   * states its own freshness, its own `stale-while-revalidate` counts (RFC 5861). Default 0.
   */
  staleWhileRevalidate?: number | undefined
  /** ms after `ttl` in which the stale response is sent when the handler fails with 500, 502, 503 or 504. Default 0. */
  staleIfError?: number | undefined
  /**
   * What identifies a response, instead of scheme, host and URL (the method and Vary still count). `undefined`: the cache
   * ignores this request. Default: the exact bytes of host and URL.
   */
  key?: ((request: Native) => string | undefined) | undefined
  /** Names of request fields whose values are part of the key, for handlers that use them and do not name them in Vary. */
  keyHeaders?: readonly string[] | undefined
  /**
   * `true`: the handler's answers do not depend on the request's cookies. Then requests with cookies share answers like
   * those without. Default `false`: they share only answers that say `public` or `s-maxage`.
   */
  ignoreCookies?: boolean | undefined
  /**
   * Names of the cookies that are part of the key. The answers depend on no other cookie, so requests with others share
   * answers like those without. Default: see `ignoreCookies`.
   */
  allowCookies?: readonly string[] | undefined
  /**
   * Query parameters that are not part of the key, because no answer depends on them. Either names, in which `*` stands
   * for any text, such as `'utm_*'`, or a function of the name as it stands in the URL. Default: all of them count.
   */
  ignoreQuery?: readonly string[] | ((name: string) => boolean) | undefined
  /** `true`: the order of query parameters does not matter, except among those of one name. Default `false`. */
  sortQuery?: boolean | undefined
  /**
   * What handlers choose from when a response varies on `Accept-Encoding` or `Accept-Language`, for instance
   * `{ 'Accept-Language': ['de', 'en'] }`. Requests with the same preference among these share a variant. Default: the
   * values as they are, except for case and blanks.
   */
  varyNormalise?: Partial<Record<NormalisedField, readonly string[]>> | undefined
  /** Whether a request is passed through untouched. Called for GET and HEAD. Default: none is. */
  bypass?: ((request: Native) => boolean) | undefined
  /**
   * Receives the work that goes on after clients have been answered: background refills, and storing. For hosts that freeze
   * a process once it has responded. The promise never rejects.
   */
  waitUntil?: ((work: Promise<unknown>) => void) | undefined
  /** Largest body that is stored or shared, in bytes. Larger ones stream through. Default 4 MiB. */
  maxBodyBytes?: number | undefined
  /**
   * Bytes of unfinished answers that this middleware holds at once. Beyond that, further answers pass through unshared.
   * Default 64 MiB.
   */
  maxFillBytes?: number | undefined
  /**
   * ms after which a client that takes nothing is cut, if others wait for it. Clients that get a body above `maxBodyBytes`
   * while it is written all get it at the pace of the slowest. Default 30 000.
   */
  stallTimeout?: number | undefined
  /** Most variants of one URL (Vary) that this process keeps. Beyond that, the oldest goes. Default 64. */
  maxVariants?: number | undefined
  /** Most requests that wait for one handler run. Further ones run their own. Default 10 000. */
  maxWaiters?: number | undefined
  /** ms after a response that may not be shared, in which requests for it do not wait for one another. Default 60 000. */
  unsharedFor?: number | undefined
  /**
   * Response fields that replace Cache-Control for this cache. The first one that is present counts (RFC 9213). Behind
   * your own CDN, add `'CDN-Cache-Control'`. A `no-store` in Surrogate-Control counts unless one of these fields does.
   * Default `['SingleFlight-Cache-Control']`.
   */
  targetedFields?: readonly string[] | undefined
  /**
   * `true`: a response without stated freshness but with a Last-Modified is fresh for a tenth of the time since then, at
   * most a day (RFC 9111 section 4.2.2), unless `ttl` says how long. Default `false`: it is not stored.
   */
  heuristicFreshness?: boolean | undefined
  /**
   * `true`: if an answer says `must-revalidate`, it is for others too, even if its request has Authorization, as RFC 9111
   * section 3.5 allows. Default `false`: only `public` and `s-maxage` allow that.
   */
  shareMustRevalidate?: boolean | undefined
  /**
   * `true`: answers of `text/event-stream` are shared like any answer, by their Cache-Control or `ttl`. A request that comes
   * while one is written gets it from the first event on, or after the event that `Last-Event-ID` names. Handlers do not
   * see that field. Default `false`: only those that say `s-maxage`, or state their freshness by one of `targetedFields`.
   */
  shareEventStreams?: boolean | undefined
  /**
   * ms that a shared event stream may take. After that it goes on for the clients that have it, no other client joins, and
   * it is not kept. Default 600 000.
   */
  maxStreamDuration?: number | undefined
  /**
   * `true`: requests with Authorization wait for another's run as others do. Default `false`: only if the last answer of
   * their URL was for others. Otherwise each runs its own handler at once, because its answer will rarely be shared.
   */
  waitWithAuthorization?: boolean | undefined
}

/** Request fields whose values can be reduced to what an application offers. */
type NormalisedField = 'Accept-Encoding' | 'Accept-Language'

/** The options, checked and complete. */
export interface Settings<Native> extends Policy, KeyRules<Native>, SelectingRules {
  /** Cookies that are not part of the key do not change the answers. */
  readonly ignoreCookies: boolean
  readonly bypass: ((request: Native) => boolean) | undefined
  readonly waitUntil: ((work: Promise<unknown>) => void) | undefined
  readonly maxBodyBytes: number
  readonly maxFillBytes: number
  readonly stallTimeout: number
  readonly maxVariants: number
  readonly maxWaiters: number
  readonly unsharedFor: number
  readonly waitWithAuthorization: boolean
  readonly maxStreamDuration: number
}

const TTL = { least: 1, most: MAX_DURATION, expected: 'a whole number of milliseconds, 1 or more' }
const DEFAULT_TARGETED_FIELDS = ['SingleFlight-Cache-Control']

/** Throws a `TypeError` or `RangeError` that names the invalid option. */
export function resolveOptions<Native>(options: OptionsFor<Native>): Settings<Native> {
  checkObject('options', options)
  const { cache, key, bypass, waitUntil } = options
  if (cache !== undefined) checkMethods('cache', cache, 'a Cache', ['getOrRefill'])
  if (key !== undefined) checkFunction('key', key)
  if (bypass !== undefined) checkFunction('bypass', bypass)
  if (waitUntil !== undefined) checkFunction('waitUntil', waitUntil)
  const allowCookies = options.allowCookies === undefined ? undefined : cookieNames(options.allowCookies)
  const ignoreCookies = checkBoolean('ignoreCookies', options.ignoreCookies ?? false)
  return {
    ttl: options.ttl === undefined ? undefined : wholeNumber('ttl', options.ttl, TTL),
    staleWhileRevalidate: duration('staleWhileRevalidate', options.staleWhileRevalidate ?? 0),
    staleIfError: duration('staleIfError', options.staleIfError ?? 0),
    ...{ key, bypass, waitUntil, allowCookies },
    keyHeaders: fieldNames('keyHeaders', options.keyHeaders ?? []),
    ignoreCookies: ignoreCookies || allowCookies !== undefined,
    ignoresQuery: options.ignoreQuery === undefined ? undefined : queryMatcher(options.ignoreQuery),
    sortQuery: checkBoolean('sortQuery', options.sortQuery ?? false),
    varyNormalise: options.varyNormalise === undefined ? undefined : offers(options.varyNormalise),
    maxBodyBytes: count('maxBodyBytes', options.maxBodyBytes ?? 4 * 1024 * 1024),
    maxFillBytes: count('maxFillBytes', options.maxFillBytes ?? 64 * 1024 * 1024),
    stallTimeout: positiveDuration('stallTimeout', options.stallTimeout ?? 30_000),
    maxVariants: count('maxVariants', options.maxVariants ?? 64),
    maxWaiters: count('maxWaiters', options.maxWaiters ?? 10_000),
    unsharedFor: duration('unsharedFor', options.unsharedFor ?? 60_000),
    targetedFields: fieldNames('targetedFields', options.targetedFields ?? DEFAULT_TARGETED_FIELDS),
    heuristicFreshness: checkBoolean('heuristicFreshness', options.heuristicFreshness ?? false),
    shareMustRevalidate: checkBoolean('shareMustRevalidate', options.shareMustRevalidate ?? false),
    waitWithAuthorization: checkBoolean('waitWithAuthorization', options.waitWithAuthorization ?? false),
    shareEventStreams: checkBoolean('shareEventStreams', options.shareEventStreams ?? false),
    maxStreamDuration: positiveDuration('maxStreamDuration', options.maxStreamDuration ?? 600_000),
    alsoVaries: [],
    unshareable: undefined,
  }
}

const OF_RESPONSES = [
  'ttl',
  'staleWhileRevalidate',
  'staleIfError',
  'targetedFields',
  'heuristicFreshness',
  'shareMustRevalidate',
  'shareEventStreams',
] as const

/**
 * The policy for a request that two middlewares handle. The inner one's options override those of the outer one. Its key
 * counts too: responses vary on the fields in it, and those with a key that is a function are for nobody else. Nor is what
 * the inner one bypasses.
 */
export function refinedPolicy<Native>(
  outer: Policy,
  options: OptionsFor<Native>,
  own: Settings<Native>,
  request: Native,
): Policy {
  const refined: { -readonly [name in keyof Policy]: unknown } = { ...outer }
  for (const name of OF_RESPONSES) if (options[name] !== undefined) refined[name] = own[name]
  refined.alsoVaries = [...outer.alsoVaries, ...own.keyHeaders]
  if (own.key !== undefined) refined.unshareable = 'key'
  else if (own.bypass?.(request) === true) refined.unshareable = 'bypass'
  return refined as Policy
}

function cookieNames(value: unknown): readonly string[] {
  return checkArray('allowCookies', value, 'an array of cookie names').map((each, index) => {
    const name = checkString(`allowCookies[${index}]`, each, 'a cookie name')
    if (!isToken(name)) throw outOfRange(`allowCookies[${index}]`, 'a cookie name', name)
    return name
  })
}

function queryMatcher(value: unknown): (name: string) => boolean {
  if (typeof value === 'function') return value as (name: string) => boolean
  const expected = 'an array of parameter names or a function'
  const patterns = checkArray('ignoreQuery', value, expected)
  return matcherOf(patterns.map((each, index) => checkString(`ignoreQuery[${index}]`, each, 'a parameter name')))
}

function offers(value: unknown): Offers {
  const expected = "an object with 'Accept-Encoding', 'Accept-Language' or both"
  const entries = Object.entries(checkObject('varyNormalise', value, expected)).map(([field, list]) => {
    const name = field.toLowerCase()
    if (name !== 'accept-encoding' && name !== 'accept-language') throw outOfRange('varyNormalise', expected, field)
    return [name, tokens(`varyNormalise['${field}']`, list)] as const
  })
  return Object.fromEntries(entries)
}

function tokens(option: string, value: unknown): readonly string[] {
  return checkArray(option, value, 'an array of names').map((each, index) => {
    const name = checkString(`${option}[${index}]`, each, 'a name')
    if (!isToken(name)) throw outOfRange(`${option}[${index}]`, 'a name', name)
    return name
  })
}

function fieldNames(option: string, value: unknown): readonly string[] {
  return checkArray(option, value, 'an array of field names').map((each, index) => {
    const where = `${option}[${index}]`
    const name = checkString(where, each, 'a field name')
    if (!isToken(name)) throw outOfRange(where, 'a field name', name)
    return name.toLowerCase()
  })
}
