import type { ServerResponse } from 'node:http'

import type { FieldBlock } from '../rules/fields.ts'
import { unitedVary } from '../rules/vary.ts'
import type { StoredResponse } from '../stored/stored-response.ts'
import { type NarrowingRequest, selectionOf } from './narrowed.ts'

/** What a client may get of a body. */
const PARTIAL_CONTENT = 206
const NOT_MODIFIED = 304
const RANGE_NOT_SATISFIABLE = 416

/** Fields of a 304, RFC 9110 section 15.4.5: what describes the body is left out, the client has it. */
export const ABOUT_THE_BODY: ReadonlySet<string> = new Set([
  'content-length',
  'content-type',
  'content-encoding',
  'content-language',
  'content-range',
])

/** The function by which an answer goes out whole; below our own patches where a response is patched. */
export type Send = (
  res: ServerResponse,
  answer: { status: number; message: string; fields: FieldBlock; body: Buffer | undefined },
) => void

/** For a response that nobody has patched for us. */
export const sendDirectly: Send = (res, { status, message, fields, body }) => {
  giveHead(res, status, message, fields)
  if (body === undefined) res.end()
  else res.end(body)
}

/** By one call where no layer has patched the response; else so that each may still have its say. */
export function giveHead(res: ServerResponse, status: number, message: string, fields: FieldBlock): void {
  if (hasLayersOutside(res)) setHead(res, status, message, fields)
  // @types/node does not know that a value may be an array here.
  else if (res.req.httpVersionMajor < 2) res.writeHead(status, message, fields as string[])
  else res.writeHead(status, fields as string[])
}

/** Whether layers have put functions of theirs on a response, to have their say before it goes out. */
export function hasLayersOutside(res: ServerResponse): boolean {
  return Object.hasOwn(res, 'end') || Object.hasOwn(res, 'writeHead') || Object.hasOwn(res, 'write')
}

/** Whether a layer outside may encode what is written: all of them patch `write` for it. */
function mayBeEncoded(res: ServerResponse, stored: StoredResponse): boolean {
  return (
    Object.hasOwn(res, 'write') &&
    stored.get('content-encoding') === undefined &&
    /[^\s,;=]/.test(String(res.req.headers['accept-encoding'] ?? '').replace(/identity/gi, ''))
  )
}

/** As a handler would: layers outside see all fields, and may still set their own when the header goes. */
export function setHead(res: ServerResponse, status: number, message: string, fields: FieldBlock): void {
  res.statusCode = status
  // HTTP/2 has no reason phrases, and Node warns of those who give one.
  if (res.req.httpVersionMajor < 2) res.statusMessage = message
  for (let index = 0; index + 1 < fields.length; index += 2) {
    res.setHeader(String(fields[index]), fields[index + 1] as string | string[])
  }
}

/**
 * The fields of an answer beside what layers outside have set for this request: what the handler took away goes, what
 * it added to is joined. Vary is always joined: it names what anybody on the way has looked at.
 */
export function besideOuterFields(
  res: ServerResponse,
  { removed, joins }: { removed: readonly string[]; joins: readonly string[] },
  fields: FieldBlock,
): FieldBlock {
  for (const name of removed) res.removeHeader(name)
  let joined = fields
  for (const name of joins) joined = joinedWith(joined, name, res.getHeader(name))
  return joins.includes('vary') ? joined : joinedWith(joined, 'vary', res.getHeader('vary'))
}

function joinedWith(fields: FieldBlock, name: string, outer: number | string | string[] | undefined): FieldBlock {
  if (outer === undefined) return fields
  const index = fields.findIndex((each, at) => at % 2 === 0 && String(each).toLowerCase() === name)
  if (index < 0) return fields
  const lines = [outer, fields[index + 1] ?? []].flat().map(String)
  const copy = [...fields]
  copy[index + 1] = name === 'vary' ? unitedVary(lines) : lines
  return copy
}

/**
 * Answers with a stored response what the client has asked for: all of it, a 304, or a part. `fields` are those of the
 * answer, with Age and Cache-Status.
 */
export function replay(
  request: NarrowingRequest,
  res: ServerResponse,
  stored: StoredResponse,
  fields: FieldBlock,
  send: Send,
): void {
  const own = besideOuterFields(res, stored, fields)
  const { status, statusMessage: message, body } = stored
  const selection = stored.status === 200 && request.narrowed ? selectionOf(request, stored, body.length) : WHOLE
  if (selection.kind === 'not-modified') {
    const left = withoutNames(own, ABOUT_THE_BODY)
    send(res, { status: NOT_MODIFIED, message: 'Not Modified', fields: left, body: undefined })
  } else if (selection.kind === 'whole' || mayBeEncoded(res, stored)) {
    // A part of what a layer outside encodes would be a part of something else (RFC 9110 section 14.1.2).
    const isBodiless = request.isHead || body.length === 0
    send(res, { status, message, fields: own, body: isBodiless ? undefined : body })
  } else if (selection.kind === 'unsatisfiable') {
    const rest = withoutNames(own, ABOUT_THE_BODY, 'Content-Range', `bytes */${selection.size}`, 'Content-Length', '0')
    send(res, { status: RANGE_NOT_SATISFIABLE, message: 'Range Not Satisfiable', fields: rest, body: undefined })
  } else {
    const part = body.subarray(selection.start, selection.end + 1)
    send(res, { status: PARTIAL_CONTENT, message: 'Partial Content', fields: partFields(own, selection), body: part })
  }
}

const WHOLE = { kind: 'whole' } as const
const REPLACED_FOR_PART: ReadonlySet<string> = new Set(['content-length', 'content-range'])

/** The fields of a part of what `fields` describe. */
function partFields(fields: FieldBlock, part: { start: number; end: number; size: number }): FieldBlock {
  const { start, end, size } = part
  const length = String(end - start + 1)
  return withoutNames(
    fields,
    REPLACED_FOR_PART,
    'Content-Range',
    `bytes ${start}-${end}/${size}`,
    'Content-Length',
    length,
  )
}

function withoutNames(fields: FieldBlock, names: ReadonlySet<string>, ...more: string[]): FieldBlock {
  const kept: FieldBlock = []
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = String(fields[index])
    if (!names.has(name.toLowerCase())) kept.push(name, fields[index + 1] ?? '')
  }
  return [...kept, ...more]
}
