import { Readable, Stream } from 'node:stream'

import { headersInit, mayHaveBody } from '../fetch/responses.ts'
import { readHead } from '../node/head-of.ts'
import { blockOf, FieldMap, type FlatFields, without } from '../rules/fields.ts'
import { isWritten, type KoaContext } from './koa-context.ts'
import { lastingBody, type Source } from './lasting-body.ts'

/**
 * What Koa would send for a context as its handler has left it, as a `Response`. `onOver` is called once its body is no
 * longer needed.
 */
export function madeBy(context: KoaContext, onOver: () => void): Response {
  const { res, req } = context
  const source = canBeTold(context) && mayHaveBody(context.status) ? sourceOf(context.body) : undefined
  if (source === undefined) return over(wholeOf(context), onOver)
  const { status, message: statusText, fields } = readHead(res)
  const hasLeft = (): boolean => res.closed || req.socket?.destroyed === true
  return new Response(lastingBody(source, hasLeft, onOver), {
    status,
    statusText,
    headers: headersInit(blockOf(fields)),
  })
}

function over(response: Response, onOver: () => void): Response {
  onOver()
  return response
}

/** Whether a `Response` can express it. */
function canBeTold(context: KoaContext): boolean {
  const { status, body } = context
  const isOld = body instanceof Stream && !(Symbol.asyncIterator in body) // as streams were before Node 0.10
  return !isWritten(context) && status >= 200 && status <= 599 && !isOld
}

/** An answer in one piece, as Koa sends it. */
function wholeOf(context: KoaContext): Response {
  // What the handler sends itself is for this client alone. The next answer will be too.
  if (context.respond === false) return new Response(null, { headers: { 'Cache-Control': 'no-store' } })
  if (!canBeTold(context)) return Response.error()
  const { status, message: statusText, fields } = readHead(context.res)
  const init = (all: FlatFields): ResponseInit => ({ status, statusText, headers: headersInit(blockOf(all)) })
  if (!mayHaveBody(status)) return new Response(null, init(fields))
  const bytes = Uint8Array.from(wholeBody(context, statusText))
  return new Response(bytes, init(describing(context, fields, bytes.length)))
}

/** The source of a body that comes piece by piece, undefined for other bodies. */
function sourceOf(body: unknown): Source | undefined {
  if (body instanceof Stream) return body as Readable
  if (body instanceof ReadableStream) return body
  if (body instanceof Blob) return body.stream()
  return body instanceof Response ? (body.body ?? Readable.from([])) : undefined
}

/** The bytes of other bodies. Without a body, the status as text. */
function wholeBody({ body, req, status }: KoaContext, statusText: string): Buffer {
  if (Buffer.isBuffer(body)) return body
  if (body === undefined) return Buffer.from(req.httpVersionMajor < 2 ? statusText : String(status))
  if (body === null) return Buffer.alloc(0)
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}

const ABOUT_NOTHING = new Set(['content-type', 'content-length'])

/** With the fields that Koa adds when it sends a body. */
function describing({ body }: KoaContext, fields: FlatFields, length: number): FlatFields {
  if (body === undefined) {
    const type = ['Content-Type', 'text/plain; charset=utf-8']
    return [...without(fields, ABOUT_NOTHING), ...type, 'Content-Length', String(length)]
  }
  return new FieldMap(fields).has('content-length') ? fields : [...fields, 'Content-Length', String(length)]
}
