import type { IncomingMessage, ServerResponse } from 'node:http'

/** Methods that change nothing on the server: RFC 9110 section 9.2.1. All others, unknown ones too, may. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

export function isUnsafe(method: string | undefined): boolean {
  return !SAFE.has(method ?? '')
}

/** Why a request is passed through untouched, or undefined if it can be answered from here. */
export function bypassReason(req: IncomingMessage, res: ServerResponse): 'method' | 'bypass' | undefined {
  if (req.method !== 'GET' && req.method !== 'HEAD') return 'method'
  const { headers } = req
  if (
    headers['transfer-encoding'] !== undefined ||
    (headers['content-length'] !== undefined && headers['content-length'] !== '0') ||
    headers.upgrade !== undefined ||
    headers.expect !== undefined ||
    headers['idempotency-key'] !== undefined ||
    res.headersSent ||
    HANDLED in req
  ) {
    return 'bypass'
  }
  return undefined
}

const HANDLED: unique symbol = Symbol('herdlock.handled')

/** A second middleware on the way of the same request must not wait for the first one, that is for itself. */
export function markHandled(req: IncomingMessage): void {
  ;(req as IncomingMessage & { [HANDLED]?: boolean })[HANDLED] = true
}

/** What the request says about storing, as far as it is listened to: RFC 9111 section 5.2.1. */
export function requestDirectives(req: IncomingMessage): { noStore: boolean; onlyIfCached: boolean } {
  const value = req.headers['cache-control']
  if (value === undefined) return NONE
  const text = value.toLowerCase()
  return { noStore: text.includes('no-store'), onlyIfCached: text.includes('only-if-cached') }
}

const NONE = { noStore: false, onlyIfCached: false }
