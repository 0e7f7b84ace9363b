import type { IncomingMessage, ServerResponse } from 'node:http'

import parseRange from 'range-parser'

import type { FieldBlock } from '../rules/fields.ts'
import { isNarrowed } from '../request/narrowing.ts'
import { isNotModified, rangeApplies } from './preconditions.ts'
import type { StoredResponse } from '../stored/stored-response.ts'

/** What a client may get of a body. */
const PARTIAL_CONTENT = 206
const NOT_MODIFIED = 304
const RANGE_NOT_SATISFIABLE = 416

/** Fields of a 304, RFC 9110 section 15.4.5: what describes the body is left out, the client has it. */
const ABOUT_THE_BODY = new Set([
  'content-length',
  'content-type',
  'content-encoding',
  'content-language',
  'content-range',
])

/** The functions by which an answer goes out; those below our own patches where a response is patched. */
export interface Outlet {
  writeHead(res: ServerResponse, status: number, message: string, fields: FieldBlock): void
  end(res: ServerResponse, body?: Buffer): void
}

/** For a response that nobody has patched for us. */
export const DIRECT: Outlet = {
  writeHead(res, status, message, fields) {
    // @types/node does not know that a value may be an array here.
    if (res.req.httpVersionMajor < 2) res.writeHead(status, message, fields as string[])
    else res.writeHead(status, fields as string[])
  },
  end(res, body) {
    if (body === undefined) res.end()
    else res.end(body)
  },
}

/**
 * Answers with a stored response what the client has asked for: all of it, a 304, or a part. `fields` are those of the
 * answer, with Age and Cache-Status.
 */
export function replay(
  req: IncomingMessage,
  res: ServerResponse,
  stored: StoredResponse,
  fields: FieldBlock,
  outlet: Outlet,
): void {
  for (const name of stored.removed) res.removeHeader(name)
  if (stored.status === 200 && isNarrowed(req.headers)) {
    replayNarrowed(req, res, stored, fields, outlet)
    return
  }
  outlet.writeHead(res, stored.status, stored.statusMessage, fields)
  if (req.method === 'HEAD' || stored.body.length === 0) outlet.end(res)
  else outlet.end(res, stored.body)
}

function replayNarrowed(
  req: IncomingMessage,
  res: ServerResponse,
  stored: StoredResponse,
  fields: FieldBlock,
  outlet: Outlet,
): void {
  const { headers } = req
  if (isNotModified(headers, stored)) {
    outlet.writeHead(res, NOT_MODIFIED, 'Not Modified', withoutNames(fields, ABOUT_THE_BODY))
    outlet.end(res)
    return
  }
  const size = stored.body.length
  const ranges =
    req.method === 'GET' && headers.range !== undefined && rangeApplies(headers, stored)
      ? parseRange(size, headers.range, { combine: true })
      : -2
  if (ranges === -1) {
    const rest = withoutNames(fields, ABOUT_THE_BODY, 'Content-Range', `bytes */${size}`, 'Content-Length', '0')
    outlet.writeHead(res, RANGE_NOT_SATISFIABLE, 'Range Not Satisfiable', rest)
    outlet.end(res)
    return
  }
  // Several ranges, or a unit unknown here: a server may always send everything (RFC 9110 section 14.2).
  const [range] = ranges === -2 || ranges.type !== 'bytes' || ranges.length !== 1 ? [] : ranges
  if (range === undefined) {
    outlet.writeHead(res, stored.status, stored.statusMessage, fields)
    if (req.method === 'HEAD') outlet.end(res)
    else outlet.end(res, stored.body)
    return
  }
  const part = stored.body.subarray(range.start, range.end + 1)
  const own = ['Content-Range', `bytes ${range.start}-${range.end}/${size}`, 'Content-Length', String(part.length)]
  outlet.writeHead(
    res,
    PARTIAL_CONTENT,
    'Partial Content',
    withoutNames(fields, new Set(['content-length', 'content-range']), ...own),
  )
  outlet.end(res, part)
}

function withoutNames(fields: FieldBlock, names: ReadonlySet<string>, ...more: string[]): FieldBlock {
  const kept: FieldBlock = []
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = String(fields[index])
    if (!names.has(name.toLowerCase())) kept.push(name, fields[index + 1] ?? '')
  }
  return [...kept, ...more]
}
