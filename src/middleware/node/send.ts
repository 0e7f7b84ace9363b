import type { ServerResponse } from 'node:http'

import { besideOuterFields } from '../answer/beside-outer.ts'
import type { NarrowingRequest } from '../answer/narrowed.ts'
import { type Reply, replyFrom } from '../answer/reply.ts'
import type { FieldBlock } from '../rules/fields.ts'
import type { StoredResponse } from '../stored/stored-response.ts'

/** What a client gets of a stored response, combined with the fields that outer layers have set on `res`. */
export function replyOn(
  res: ServerResponse,
  request: NarrowingRequest,
  stored: StoredResponse,
  fields: FieldBlock,
): Reply {
  return replyFrom(request, stored, besideFieldsOf(res, stored, fields), request.narrowed && mayBeEncoded(res, stored))
}

/** Sends an answer on a response that this middleware has not patched. */
export function send(res: ServerResponse, { status, message, fields, body }: Reply): void {
  giveHead(res, status, message, fields)
  if (body === undefined) res.end()
  else res.end(body)
}

/** Uses one call if no layer has patched the response. Otherwise each layer may still change the header. */
export function giveHead(res: ServerResponse, status: number, message: string, fields: FieldBlock): void {
  if (hasLayersOutside(res)) setHead(res, status, message, fields)
  // @types/node does not know that a value may be an array here. Without a reason Node gives the usual one.
  else if (res.req.httpVersionMajor < 2 && message !== '') res.writeHead(status, message, fields as string[])
  else res.writeHead(status, fields as string[])
}

/** Whether layers have put their own functions on a response, to change it before it goes out. */
export function hasLayersOutside(res: ServerResponse): boolean {
  return Object.hasOwn(res, 'end') || Object.hasOwn(res, 'writeHead') || Object.hasOwn(res, 'write')
}

/** Whether an outer layer may encode what is written. Layers that do so patch `write`. */
function mayBeEncoded(res: ServerResponse, stored: StoredResponse): boolean {
  return (
    Object.hasOwn(res, 'write') &&
    stored.get('content-encoding') === undefined &&
    /[^\s,;=]/.test(String(res.req.headers['accept-encoding'] ?? '').replace(/identity/gi, ''))
  )
}

/** Does as a handler would: outer layers see all fields, and may still set their own when the header goes out. */
export function setHead(res: ServerResponse, status: number, message: string, fields: FieldBlock): void {
  res.statusCode = status
  // HTTP/2 has no reason phrases, and Node warns if one is set.
  if (res.req.httpVersionMajor < 2 && message !== '') res.statusMessage = message
  for (let index = 0; index + 1 < fields.length; index += 2) {
    res.setHeader(String(fields[index]), fields[index + 1] as string | string[])
  }
}

/** The fields of an answer, combined with those of outer layers. Fields that the handler removed are removed from `res`. */
export function besideFieldsOf(
  res: ServerResponse,
  { removed, joins }: { removed: readonly string[]; joins: readonly string[] },
  fields: FieldBlock,
): FieldBlock {
  for (const name of removed) res.removeHeader(name)
  return besideOuterFields((name) => res.getHeader(name), joins, fields)
}
