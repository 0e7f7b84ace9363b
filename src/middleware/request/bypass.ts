import type { IncomingMessage, ServerResponse } from 'node:http'

import type { Policy } from '../rules/storable.ts'

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
export function bypassReason(req: IncomingMessage, res: ServerResponse): 'method' | 'bypass' | undefined {
  if (req.method !== 'GET' && req.method !== 'HEAD') return 'method'
  const { headers } = req
  const isPlain =
    FOR_THE_HANDLER.every((name) => headers[name] === undefined) &&
    (headers['content-length'] ?? '0') === '0' &&
    METHOD_OVERRIDES.every((name) => isOwnMethod(req.method, headers[name])) &&
    !res.headersSent &&
    !(HANDLED in req)
  return isPlain ? undefined : 'bypass'
}

function isOwnMethod(method: string | undefined, override: string | string[] | undefined): boolean {
  return override === undefined || String(override).trim().toUpperCase() === method
}

const HANDLED: unique symbol = Symbol('herdlock.handled')

/** The middleware that has taken a request on, to those that it meets further in. */
export interface OuterFlight {
  /** What the middleware further in says of the responses to its requests. */
  policy: Policy
}

/** A second middleware on the way of the same request must not wait for the first one, that is for itself. */
export function markHandled(req: IncomingMessage, outer: OuterFlight): void {
  ;(req as Handled)[HANDLED] = outer
}

export function outerFlightOf(req: IncomingMessage): OuterFlight | undefined {
  return (req as Handled)[HANDLED]
}

type Handled = IncomingMessage & { [HANDLED]?: OuterFlight }

/** What the request says about storing, as far as it is listened to: RFC 9111 section 5.2.1. */
export function requestDirectives(req: IncomingMessage): { noStore: boolean; onlyIfCached: boolean } {
  const value = req.headers['cache-control']
  if (value === undefined) return NONE
  const text = value.toLowerCase()
  return { noStore: text.includes('no-store'), onlyIfCached: text.includes('only-if-cached') }
}

const NONE = { noStore: false, onlyIfCached: false }
