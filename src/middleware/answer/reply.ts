import { placeAfterEvent } from '../rules/event-stream.ts'
import type { FieldBlock } from '../rules/fields.ts'
import type { StoredResponse } from '../stored/stored-response.ts'
import { type NarrowingRequest, selectionOf } from './narrowed.ts'

/** Statuses of answers without the whole body. */
const PARTIAL_CONTENT = 206
const NOT_MODIFIED = 304
const RANGE_NOT_SATISFIABLE = 416

/** Fields about the body. A 304 leaves them out, because the client has the body: RFC 9110 section 15.4.5. */
export const ABOUT_THE_BODY: ReadonlySet<string> = new Set([
  'content-length',
  'content-type',
  'content-encoding',
  'content-language',
  'content-range',
])

/** An answer that is sent in one piece. */
export interface Reply {
  readonly status: number
  readonly message: string
  readonly fields: FieldBlock
  readonly body: Buffer | undefined
}

/**
 * What a client gets of a stored response: all of it, a 304, or a part. `fields` are those of the answer, with Age and
 * Cache-Status. `isEncodedOutside`: an outer layer may encode the answer. Then no part is sent, because it would be a part
 * of something else (RFC 9110 section 14.1.2).
 */
export function replyFrom(
  request: NarrowingRequest,
  stored: StoredResponse,
  fields: FieldBlock,
  isEncodedOutside = false,
): Reply {
  const { status, statusMessage: message, body } = stored
  const selection = status === 200 && request.narrowed ? selectionOf(request, stored, body.length) : WHOLE
  if (selection.kind === 'not-modified') {
    const left = withoutNames(fields, ABOUT_THE_BODY)
    return { status: NOT_MODIFIED, message: 'Not Modified', fields: left, body: undefined }
  }
  if (selection.kind === 'whole' || isEncodedOutside) {
    const from = stored.isEventStream && status === 200 ? placeToResume(request, stored) : 0
    if (from > 0) return { status, message, fields: resumedFields(fields), body: body.subarray(from) }
    return { status, message, fields, body: request.isHead || body.length === 0 ? undefined : body }
  }
  if (selection.kind === 'unsatisfiable') {
    const range = `bytes */${selection.size}`
    const rest = withoutNames(fields, ABOUT_THE_BODY, 'Content-Range', range, 'Content-Length', '0')
    return { status: RANGE_NOT_SATISFIABLE, message: 'Range Not Satisfiable', fields: rest, body: undefined }
  }
  const part = body.subarray(selection.start, selection.end + 1)
  return { status: PARTIAL_CONTENT, message: 'Partial Content', fields: partFields(fields, selection), body: part }
}

const WHOLE = { kind: 'whole' } as const
const REPLACED_FOR_PART: ReadonlySet<string> = new Set(['content-length', 'content-range'])

/** `fields` changed so that they describe a part of the body. */
export function partFields(fields: FieldBlock, part: { start: number; end: number; size: number }): FieldBlock {
  const { start, end, size } = part
  const range = `bytes ${start}-${end}/${size}`
  return withoutNames(fields, REPLACED_FOR_PART, 'Content-Range', range, 'Content-Length', String(end - start + 1))
}

/** The place in the body of an event stream behind the last event that the client has. */
function placeToResume({ lastEventId, isHead }: NarrowingRequest, stored: StoredResponse): number {
  if (lastEventId === undefined || isHead || stored.get('content-encoding') !== undefined) return 0
  return placeAfterEvent(stored.body, lastEventId)
}

const OF_THE_WHOLE: ReadonlySet<string> = new Set([
  'content-length',
  'etag',
  'last-modified',
  'expires',
  'surrogate-control',
])

/** The fields of the rest of a stream after an event. No other cache may take that rest for the whole. */
export function resumedFields(fields: FieldBlock): FieldBlock {
  const kept = withoutNames(fields, OF_THE_WHOLE, 'Cache-Control', 'no-store')
  return kept.filter((_, index) => !isDirective(kept[index - (index % 2)]) || index >= kept.length - 2)
}

/** `Cache-Control`, or a field that takes its place for some caches: RFC 9213. */
function isDirective(name: string | string[] | undefined): boolean {
  return String(name).toLowerCase().endsWith('cache-control')
}

export function withoutNames(fields: FieldBlock, names: ReadonlySet<string>, ...more: string[]): FieldBlock {
  const kept: FieldBlock = []
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = String(fields[index])
    if (!names.has(name.toLowerCase())) kept.push(name, fields[index + 1] ?? '')
  }
  return [...kept, ...more]
}
