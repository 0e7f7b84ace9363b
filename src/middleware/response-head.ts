import type { Baseline } from './background.ts'
import { FieldMap, type FlatFields, unstorableNames, without } from './fields.ts'
import { formatHttpDate } from './http-date.ts'
import type { ResponseHead } from './recording.ts'

/** The header of a response as it is stored, but for Content-Length, which the end of the body decides. */
export interface StorableHead {
  readonly fields: FlatFields
  readonly removed: readonly string[]
}

/**
 * What of a header may be stored: without what belongs to the connection or is withheld, and without what outer layers
 * had set before and will set again, each time for the request at hand (a request id, CORS for its origin).
 */
export function storableHead(
  head: ResponseHead,
  fields: FieldMap,
  withheld: readonly string[],
  baseline: Baseline,
  respondedAt: number,
): StorableHead {
  const left = new Set([...unstorableNames(fields), ...withheld, 'age'])
  const removed: string[] = []
  for (const [name, value] of baseline) {
    const lines = fields.lines(name)
    if (lines.length === 0) removed.push(name)
    else if (lines.join('\n') === (typeof value === 'string' ? value : value.join('\n'))) left.add(name)
  }
  const kept = without(head.fields, left)
  if (!fields.has('date')) kept.push('Date', formatHttpDate(respondedAt))
  return { fields: kept, removed }
}

/** Fields that describe the stored body as it is; a 304 cannot change them. */
const OF_THE_BODY = new Set(['content-encoding', 'content-length', 'content-md5', 'content-range', 'etag'])

/** Stored fields with those of a 304 in their place: RFC 9111 section 3.2. */
export function freshenedFields(stored: FlatFields, head: ResponseHead): FlatFields {
  const update = new FieldMap(head.fields)
  const ignored = new Set([...unstorableNames(update), ...OF_THE_BODY])
  const updated = new Set([...update.names()].filter((name) => !ignored.has(name)))
  return [...without(stored, updated), ...without(head.fields, ignored)]
}
