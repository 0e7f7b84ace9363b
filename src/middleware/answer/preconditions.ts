import type { RequestFields } from '../rules/fields.ts'
import { parseHttpDate } from '../rules/http-date.ts'
import { entityTags, matchesStrongly, matchesWeakly } from '../rules/validators.ts'

/** What preconditions look at in a response. */
export interface Selected {
  readonly status: number
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  readonly date: string | undefined
  /** Wall clock when its header came, ms. */
  readonly respondedAt: number
}

/**
 * Whether the client of a GET or HEAD already has what is stored, checked in the order of RFC 9110 section 13.2.2.
 * If-Match and If-Unmodified-Since are for the handler alone (RFC 9111 section 4.3.2): requests with them never come here.
 */
export function isNotModified(headers: RequestFields, stored: Selected): boolean {
  if (stored.status < 200 || stored.status > 299) return false
  const { etag } = stored
  const ifNoneMatch = textOf(headers['if-none-match'])
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch.trim() === '*') return true
    return etag !== undefined && entityTags(ifNoneMatch).some((each) => matchesWeakly(each, etag))
  }
  const since = parseHttpDate(textOf(headers['if-modified-since']) ?? '', stored.respondedAt)
  return since !== undefined && modificationTime(stored) <= since
}

/** Whether a Range may be applied: RFC 9110 section 13.1.5. */
export function rangeApplies(headers: RequestFields, stored: Selected): boolean {
  const ifRange = textOf(headers['if-range'])
  if (ifRange === undefined) return true
  const { etag, lastModified } = stored
  if (ifRange.includes('"'))
    return etag !== undefined && entityTags(ifRange).some((each) => matchesStrongly(each, etag))
  return lastModified !== undefined && lastModified === ifRange
}

/** Last-Modified, else Date: RFC 9111 section 4.3.2. */
function modificationTime(stored: Selected): number {
  return (
    parseHttpDate(stored.lastModified ?? '', stored.respondedAt) ??
    parseHttpDate(stored.date ?? '', stored.respondedAt) ??
    stored.respondedAt
  )
}

function textOf(value: string | readonly string[] | undefined): string | undefined {
  return value === undefined || typeof value === 'string' ? value : value.join(', ')
}
