import type { ServerResponse } from 'node:http'

import { besideOuterFields } from '../answer/beside-outer.ts'
import type { NarrowingRequest } from '../answer/narrowed.ts'
import { type Reply, replyFrom } from '../answer/reply.ts'
import type { FieldBlock } from '../rules/fields.ts'
import type { StoredResponse } from '../stored/stored-response.ts'

/** What a client gets of a stored response, beside the fields that layers outside have set on `res`. */
export function replyOn(
  res: ServerResponse,
  request: NarrowingRequest,
  stored: StoredResponse,
  fields: FieldBlock,
): Reply {
  return replyFrom(request, stored, besideFieldsOf(res, stored, fields), request.narrowed && mayBeEncoded(res, stored))
}

/** For a response that nobody has patched for us. */
export function send(res: ServerResponse, { status, message, fields, body }: Reply): void {
  giveHead(res, status, message, fields)
  if (body === undefined) res.end()
  else res.end(body)
}

/** By one call where no layer has patched the response; else so that each may still have its say. */
export function giveHead(res: ServerResponse, status: number, message: string, fields: FieldBlock): void {
  if (hasLayersOutside(res)) setHead(res, status, message, fields)
  // @types/node does not know that a value may be an array here. Without a reason Node gives the usual one.
  else if (res.req.httpVersionMajor < 2 && message !== '') res.writeHead(status, message, fields as string[])
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
  if (res.req.httpVersionMajor < 2 && message !== '') res.statusMessage = message
  for (let index = 0; index + 1 < fields.length; index += 2) {
    res.setHeader(String(fields[index]), fields[index + 1] as string | string[])
  }
}

/** The fields of an answer beside those of layers outside, of which what the handler took away goes. */
export function besideFieldsOf(
  res: ServerResponse,
  { removed, joins }: { removed: readonly string[]; joins: readonly string[] },
  fields: FieldBlock,
): FieldBlock {
  for (const name of removed) res.removeHeader(name)
  return besideOuterFields((name) => res.getHeader(name), joins, fields)
}
