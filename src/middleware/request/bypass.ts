import type { RequestFields } from '../rules/fields.ts'
import type { Policy } from '../rules/storable.ts'
import type { RequestView } from './request-view.ts'

/** Methods that change nothing on the server, by the registry of IANA. All others, unknown ones too, may. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'SEARCH', 'REPORT'])

/** Fields by which some frameworks let a request have another method than its own. */
export const METHOD_OVERRIDES = ['x-http-method-override', 'x-http-method', 'x-method-override'] as const

/** Fields of what is passed through: it has a body or another protocol, or asks what only the handler can tell. */
const FOR_THE_HANDLER = [
  ...['transfer-encoding', 'upgrade', 'expect', 'idempotency-key'],
  ...['if-match', 'if-unmodified-since'], // RFC 9111 section 4.3.2
] as const

export function isUnsafe(method: string | undefined): boolean {
  return !SAFE.has(method ?? '')
}

/** Why a request is passed through untouched, or undefined if it can be answered from here. */
export function bypassReason({
  method,
  headers,
  native,
}: Pick<RequestView<object>, 'method' | 'headers' | 'native'>): 'method' | 'bypass' | undefined {
  if (method !== 'GET' && method !== 'HEAD') return 'method'
  const isPlain =
    FOR_THE_HANDLER.every((name) => headers[name] === undefined) &&
    (headers['content-length'] ?? '0') === '0' &&
    METHOD_OVERRIDES.every((name) => isOwnMethod(method, headers[name])) &&
    !(HANDLED in native)
  return isPlain ? undefined : 'bypass'
}

function isOwnMethod(method: string, override: string | readonly string[] | undefined): boolean {
  return override === undefined || String(override).trim().toUpperCase() === method
}

const HANDLED: unique symbol = Symbol('herdlock.handled')

/** The middleware that has taken a request on, to those that it meets further in. */
export interface OuterFlight {
  /** What the middleware further in says of the responses to its requests. */
  policy: Policy
}

/** A second middleware on the way of the same request must not wait for the first one, that is for itself. */
export function markHandled(native: object, outer: OuterFlight): void {
  ;(native as Handled)[HANDLED] = outer
}

export function outerFlightOf(native: object): OuterFlight | undefined {
  return (native as Handled)[HANDLED]
}

type Handled = object & { [HANDLED]?: OuterFlight }

/** What the request says about storing, as far as it is listened to: RFC 9111 section 5.2.1. */
export function requestDirectives(headers: RequestFields): { noStore: boolean; onlyIfCached: boolean } {
  const value = headers['cache-control']
  if (value === undefined) return NONE
  const text = String(value).toLowerCase()
  return { noStore: text.includes('no-store'), onlyIfCached: text.includes('only-if-cached') }
}

const NONE = { noStore: false, onlyIfCached: false }
