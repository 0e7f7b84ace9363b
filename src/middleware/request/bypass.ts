import type { RequestFields } from '../rules/fields.ts'
import type { Policy } from '../rules/storable.ts'
import type { RequestView } from './request-view.ts'

/** Methods that change nothing on the server, by the IANA registry. All others may, unknown ones too. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'SEARCH', 'REPORT'])

/** Fields by which some frameworks change the method of a request. */
export const METHOD_OVERRIDES = ['x-http-method-override', 'x-http-method', 'x-method-override'] as const

/** Fields of requests that are passed through: they have a body or another protocol, or ask what only the handler knows. */
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

/** The outer middleware of a request, as inner ones see it. */
export interface OuterFlight {
  /** What the options say of the response. An inner middleware refines it. */
  policy: Policy
}

/** Marks a request: a second middleware on its way must not wait for the first one, because it would wait for itself. */
export function markHandled(native: object, outer: OuterFlight): void {
  ;(native as Handled)[HANDLED] = outer
}

export function outerFlightOf(native: object): OuterFlight | undefined {
  return (native as Handled)[HANDLED]
}

type Handled = object & { [HANDLED]?: OuterFlight }

/** The directives of a request that are obeyed: RFC 9111 section 5.2.1. */
export function requestDirectives(headers: RequestFields): { noStore: boolean; onlyIfCached: boolean } {
  const value = headers['cache-control']
  if (value === undefined) return NONE
  const text = String(value).toLowerCase()
  return { noStore: text.includes('no-store'), onlyIfCached: text.includes('only-if-cached') }
}

const NONE = { noStore: false, onlyIfCached: false }
