import { type CacheControl, MAX_DELTA_SECONDS } from './cache-control.ts'
import type { FieldMap } from './fields.ts'
import { isDigits, trimBlanks } from './grammar.ts'
import { parseHttpDate } from './http-date.ts'

/** Longer than any lifetime. */
const UNKNOWN_AGE: number = Number.POSITIVE_INFINITY

/**
 * The age of the response when it arrived, in ms: the corrected initial age of RFC 9111 section 4.2.3.
 *
 * @param requestedAt wall clock when the handler was asked
 * @param respondedAt wall clock when its header came
 */
export function initialAge(fields: FieldMap, requestedAt: number, respondedAt: number): number {
  const age = ageField(fields.lines('age'), fields.has('date'))
  const date = parseHttpDate(fields.get('date') ?? '', respondedAt)
  const apparentAge = date === undefined ? 0 : Math.max(0, respondedAt - date)
  // A Date has whole seconds: without this, an answer of the same second would seem up to 999 ms old.
  const wholeSeconds = apparentAge < 1000 ? 0 : apparentAge
  // The time to answer counts only if the answer came from another server: a handler's own work is not ageing.
  return Math.max(wholeSeconds, age === 0 ? 0 : age + Math.max(0, respondedAt - requestedAt))
}

/**
 * ms. Of a list, the first member counts, and a value that is no number does not count: RFC 9111 section 5.1. But a
 * response with a Date has come from another server. If its Age is not one line of numbers, it may hide any age, and the
 * conformance suite asks to take the response as stale.
 */
function ageField(lines: readonly string[], hasDate: boolean): number {
  const [line] = lines
  if (line === undefined) return 0
  const members = line.split(',')
  if (hasDate && (lines.length > 1 || !members.every(isDigits))) return UNKNOWN_AGE
  const first = trimBlanks(members[0] ?? '')
  return isDigits(first) ? Math.min(Number(first), MAX_DELTA_SECONDS) * 1000 : 0
}

/** ms of freshness that the response states itself (RFC 9111 section 4.2.1). Undefined if it states none. */
export function statedLifetime(control: CacheControl, fields: FieldMap, respondedAt: number): number | undefined {
  if (control.sharedMaxAge !== undefined) return control.sharedMaxAge * 1000
  if (control.maxAge !== undefined) return control.maxAge * 1000
  const [expires] = fields.lines('expires')
  if (expires === undefined) return undefined
  const expiresAt = parseHttpDate(expires, respondedAt)
  if (expiresAt === undefined) return 0
  const date = parseHttpDate(fields.get('date') ?? '', respondedAt) ?? respondedAt
  return Math.max(0, expiresAt - date)
}

const HEURISTIC_FRACTION = 0.1
const HEURISTIC_MAX = 24 * 60 * 60 * 1000

/** A tenth of the time since the last modification, at most a day: RFC 9111 section 4.2.2. */
export function heuristicLifetime(fields: FieldMap, respondedAt: number): number | undefined {
  const modifiedAt = parseHttpDate(fields.get('last-modified') ?? '', respondedAt)
  if (modifiedAt === undefined) return undefined
  const date = parseHttpDate(fields.get('date') ?? '', respondedAt) ?? respondedAt
  return Math.min(HEURISTIC_MAX, Math.max(0, Math.floor((date - modifiedAt) * HEURISTIC_FRACTION)))
}
