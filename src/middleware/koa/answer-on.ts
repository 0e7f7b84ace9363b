import { Readable } from 'node:stream'
import type { ReadableStream as NodeStream } from 'node:stream/web'

import { headOf, mayHaveBody } from '../fetch/responses.ts'
import { cutOff } from '../node/cut-off.ts'
import { blockOf, type FieldBlock } from '../rules/fields.ts'
import { isWritten, type KoaContext } from './koa-context.ts'

const NOTHING = Buffer.alloc(0)

/** Makes a context answer with a stored response. Other fields of the context stay. */
export function answerStored(
  context: KoaContext,
  { status, message, fields, body }: { status: number; message: string; fields: FieldBlock; body: Buffer | undefined },
): void {
  const type = context.res.getHeader('content-type')
  setStatus(context, status, message)
  // A copy: outer layers may change a body.
  if (hasBody(context, status)) context.body = body === undefined ? NOTHING : Buffer.from(body)
  if (type === undefined) context.remove('Content-Type')
  setFields(context, fields)
}

/** Makes a context answer with `response` and no other fields. `own`: what its handler has made, with the context's body. */
export function answerMade(context: KoaContext, response: Response, own: Response | undefined): void {
  if (isWritten(context) || response.type === 'error') return
  const { status, message, fields: flat } = headOf(response)
  setStatus(context, status, message)
  const isItsBody = own !== undefined && response.body === own.body
  if (!isItsBody && hasBody(context, status)) context.body = bodyOf(context, response.body)
  const fields = blockOf(flat)
  const names = new Set(flat.map((name) => name.toLowerCase()))
  for (const name of context.res.getHeaderNames()) if (!names.has(name)) context.remove(name)
  setFields(context, fields)
}

/** Koa itself removes the fields of a body that a status cannot have, and answers HEAD without a body. */
function hasBody({ req }: KoaContext, status: number): boolean {
  return req.method !== 'HEAD' && mayHaveBody(status)
}

function bodyOf(context: KoaContext, body: Response['body']): Buffer | Readable {
  if (body === null) return NOTHING
  const stream = Readable.fromWeb(body as NodeStream)
  // Before Koa's own listener, which answers with an error if that is still possible.
  stream.once('error', () => {
    if (context.headerSent) cutOff(context.res)
  })
  return stream
}

/** Koa treats every status that is set as an explicit one. */
function setStatus(context: KoaContext, status: number, message: string): void {
  if (context.status !== status) context.status = status
  if (context.req.httpVersionMajor < 2 && message !== '' && context.message !== message) context.message = message
}

function setFields(context: KoaContext, fields: FieldBlock): void {
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = String(fields[index])
    const value = fields[index + 1] ?? ''
    if (String(context.res.getHeader(name)) !== String(value)) context.set(name, value)
  }
}
