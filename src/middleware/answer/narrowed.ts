import parseRange from 'range-parser'

import type { Narrowed, ResponseHead } from '../fill/source.ts'
import { FieldMap, type RequestFields } from '../rules/fields.ts'
import { isNotModified, rangeApplies, type Selected } from './preconditions.ts'

/** A request that may ask for less than the whole. */
export interface NarrowingRequest {
  readonly narrowing: RequestFields
  readonly narrowed: boolean
  readonly isHead: boolean
  /** The last event of an event stream that the client says it has. */
  readonly lastEventId: string | undefined
}

export type Selection = Narrowed | { readonly kind: 'whole' } | { readonly kind: 'unsatisfiable'; size: number }

/** What a request gets of a stored body of `size` bytes. */
export function selectionOf({ narrowing, isHead }: NarrowingRequest, selected: Selected, size: number): Selection {
  if (isNotModified(narrowing, selected)) return { kind: 'not-modified' }
  const { range } = narrowing
  if (isHead || typeof range !== 'string' || !rangeApplies(narrowing, selected)) return { kind: 'whole' }
  const ranges = parseRange(size, range, { combine: true })
  if (ranges === -1) return { kind: 'unsatisfiable', size }
  // Several ranges, or a unit unknown here: a server may always send everything (RFC 9110 section 14.2).
  const [first] = ranges === -2 || ranges.type !== 'bytes' || ranges.length !== 1 ? [] : ranges
  return first === undefined ? { kind: 'whole' } : { kind: 'part', start: first.start, end: first.end, size }
}

/**
 * What a client that asked for less gets of an answer that the handler makes for it alone. The handler was asked for the
 * whole. The client gets a part only if Accept-Ranges says that the handler would have sent one.
 */
export function narrowedAnswer(
  request: NarrowingRequest,
  { status, fields: flat }: ResponseHead,
  respondedAt: number,
): Narrowed | undefined {
  if (!request.narrowed || status !== 200) return undefined
  const fields = new FieldMap(flat)
  const selected: Selected = {
    ...{ status, respondedAt, date: fields.get('date') },
    ...{ etag: fields.get('etag'), lastModified: fields.get('last-modified') },
  }
  const size = Number(fields.get('content-length') ?? Number.NaN)
  const takesRanges = fields.get('accept-ranges') === 'bytes' && Number.isSafeInteger(size)
  const selection = selectionOf(request, selected, takesRanges ? size : 0)
  if (selection.kind === 'not-modified') return selection
  return selection.kind === 'part' && takesRanges ? selection : undefined
}
