import type { IncomingHttpHeaders } from 'node:http'

import { parseHttpDate } from '../rules/http-date.ts'
import type { StoredResponse } from '../stored/stored-response.ts'

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
