import type { ResponseHead } from '../fill/source.ts'
import {
  type Baseline,
  FieldMap,
  type FlatFields,
  type RequestFields,
  unstorableNames,
  without,
} from '../rules/fields.ts'
import { formatHttpDate } from '../rules/http-date.ts'
import { type Shared } from '../rules/storable.ts'
import { StoredResponse } from './stored-response.ts'
import { selectingValue } from '../rules/vary.ts'

/** The header of a response as it is stored, except Content-Length, which the end of the body decides. */
export interface StorableHead {
  readonly fields: FlatFields
  readonly removed: readonly string[]
  /** Lower-case names of fields that add to what outer layers set. */
  readonly joins: readonly string[]
}

/**
 * The part of a header that may be stored. It lacks the fields of the connection and withheld fields. It also lacks fields
 * that outer layers had set before, and will set again for each request (a request id, CORS for its origin).
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
  const joins: string[] = []
  const added: string[] = []
  for (const [name, value] of baseline) {
    const lines = fields.lines(name)
    if (lines.length === 0) removed.push(name)
    if (left.has(name)) continue
    const addition = addedTo(typeof value === 'string' ? [value] : value, lines)
    if (addition === undefined) continue
    left.add(name)
    if (addition.length > 0) joins.push(name)
    added.push(...addition.flatMap((line) => [name, line]))
  }
  const kept = [...without(head.fields, left), ...added]
  if (!fields.has('date')) kept.push('Date', formatHttpDate(respondedAt))
  return { fields: kept, removed, joins }
}

/** What the handler has added to the lines that a field had before. Undefined if it has replaced them. */
function addedTo(before: readonly string[], lines: readonly string[]): readonly string[] | undefined {
  if (before.every((line, index) => line === lines[index])) return lines.slice(before.length)
  const [line] = lines
  const start = `${before.join(', ')},`
  return lines.length === 1 && line?.startsWith(start) ? [line.slice(start.length).trimStart()] : undefined
}

/** The header of a response whose body has come, with its length. A string says what is wrong with the body. */
export function headOfWhole<H extends StorableHead & ResponseHead>(
  head: H,
  isHead: boolean,
  bytes: number,
): H | string {
  const declared = new FieldMap(head.fields).get('content-length')
  if (isHead || head.status === 204) return head
  if (declared === undefined) return { ...head, fields: [...head.fields, 'Content-Length', String(bytes)] }
  return Number(declared) === bytes ? head : `the handler sent ${bytes} bytes of ${declared}`
}

/** The response to store: its storable header, the whole body, and what the verdict and the request say about both. */
export function responseOf(
  head: StorableHead & ResponseHead,
  body: Buffer,
  { lifetime, mustValidate, explicit, vary }: Shared,
  requestHeaders: RequestFields,
  respondedAt: number,
): StoredResponse {
  return new StoredResponse({
    ...{ status: head.status, statusMessage: head.message, fields: head.fields },
    ...{ removed: head.removed, joins: head.joins },
    ...{ body, respondedAt, lifetime, mustValidate, explicit },
    selecting: vary.map((name) => [name, selectingValue(requestHeaders, name) ?? null] as const),
  })
}
