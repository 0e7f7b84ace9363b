import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

import { parseHttpDate } from './http-date.ts'
import type { StoredResponse } from './stored-response.ts'

/** Request fields that ask for less than the whole response. A fill must never see those of the client. */
export const NARROWING = [
  'if-none-match',
  'if-modified-since',
  'if-match',
  'if-unmodified-since',
  'if-range',
  'range',
] as const

/** Fields that a fill sees otherwise than the client has sent them. */
const REPLACED = [...NARROWING, 'surrogate-capability'] as const

export function isNarrowed(headers: IncomingHttpHeaders): boolean {
  return NARROWING.some((name) => headers[name] !== undefined)
}

/**
 * Takes the narrowing fields off a request and, if a stored response is to be validated, puts its validators on;
 * `capability` is added to what the caches before us say of themselves. The function returned puts everything back.
 */
export function asWholeRequest(
  req: IncomingMessage,
  validate: StoredResponse | undefined,
  capability: string | undefined,
): () => void {
  const { headers, rawHeaders } = req
  const plain: Record<string, string | string[] | undefined> = headers
  const before = REPLACED.map((name) => [name, plain[name]] as const)
  const capabilities = [textOf(plain['surrogate-capability']), capability].filter((each) => each !== undefined)
  const added: Array<readonly [spelled: string, value: string]> = []
  if (validate?.etag !== undefined) added.push(['If-None-Match', validate.etag])
  if (validate?.lastModified !== undefined) added.push(['If-Modified-Since', validate.lastModified])
  if (capabilities.length > 0) added.push(['Surrogate-Capability', capabilities.join(', ')])
  const raw: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = String(rawHeaders[index])
    if (!(REPLACED as readonly string[]).includes(name.toLowerCase())) raw.push(name, String(rawHeaders[index + 1]))
  }
  for (const name of REPLACED) delete plain[name]
  for (const [spelled, value] of added) {
    plain[spelled.toLowerCase()] = value
    raw.push(spelled, value)
  }
  // By definition, not assignment: on HTTP/2 it is an accessor that cannot be set.
  setRawHeaders(req, raw)
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete plain[name]
      else plain[name] = value
    }
    setRawHeaders(req, rawHeaders)
  }
}

function setRawHeaders(req: IncomingMessage, value: string[]): void {
  Object.defineProperty(req, 'rawHeaders', { configurable: true, writable: true, value })
}

export type Precondition = 'none' | 'not-modified' | 'failed'

/** Evaluates the preconditions of a GET or HEAD against the stored response, in the order of RFC 9110 section 13.2.2. */
export function precondition(headers: IncomingHttpHeaders, stored: StoredResponse): Precondition {
  if (stored.status < 200 || stored.status > 299) return 'none'
  const { etag } = stored
  const ifMatch = textOf(headers['if-match'])
  if (ifMatch !== undefined) {
    const matches = ifMatch.trim() === '*' || (etag !== undefined && isListed(ifMatch, etag, true))
    if (!matches) return 'failed'
  } else if (headers['if-unmodified-since'] !== undefined) {
    const since = parseHttpDate(headers['if-unmodified-since'], stored.respondedAt)
    const modifiedAt = modificationTime(stored)
    if (since !== undefined && modifiedAt > since) return 'failed'
  }
  const ifNoneMatch = headers['if-none-match']
  if (ifNoneMatch !== undefined) {
    const matches = ifNoneMatch.trim() === '*' || (etag !== undefined && isListed(ifNoneMatch, etag, false))
    return matches ? 'not-modified' : 'none'
  }
  const ifModifiedSince = headers['if-modified-since']
  if (ifModifiedSince !== undefined) {
    const since = parseHttpDate(ifModifiedSince, stored.respondedAt)
    if (since !== undefined && modificationTime(stored) <= since) return 'not-modified'
  }
  return 'none'
}

/** Whether a Range may be applied: RFC 9110 section 13.1.5. */
export function rangeApplies(headers: IncomingHttpHeaders, stored: StoredResponse): boolean {
  const ifRange = textOf(headers['if-range'])
  if (ifRange === undefined) return true
  const { etag, lastModified } = stored
  if (ifRange.includes('"')) return etag !== undefined && isListed(ifRange, etag, true)
  return lastModified !== undefined && lastModified === ifRange
}

/** Last-Modified, else Date: RFC 9111 section 4.3.2. */
function modificationTime(stored: StoredResponse): number {
  return (
    parseHttpDate(stored.lastModified ?? '', stored.respondedAt) ??
    parseHttpDate(stored.get('date') ?? '', stored.respondedAt) ??
    stored.respondedAt
  )
}

function textOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}

const WEAK = /^W\//

function isListed(list: string, etag: string, strong: boolean): boolean {
  if (strong && WEAK.test(etag)) return false
  const opaque = etag.replace(WEAK, '')
  for (const [member] of list.matchAll(/(?:W\/)?"[^"]*"|[^\s,]+/g)) {
    if (strong ? member === etag : member.replace(WEAK, '') === opaque) return true
  }
  return false
}
