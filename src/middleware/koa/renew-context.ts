import type { Connection } from '../node/connection.ts'
import { detached } from '../node/stand-in.ts'
import type { Baseline } from '../rules/fields.ts'
import type { KoaContext } from './koa-context.ts'

/** The state of a context when its request came to us. */
interface Before {
  readonly url: string | undefined
  readonly baseline: Baseline
  readonly connection: Connection
}

/** The parts of a context that belong to one answer. */
interface Parts extends KoaContext {
  /** Where Koa's parser keeps the parsed URL, which Koa changes. */
  readonly req: KoaContext['req'] & { _parsedUrl?: unknown }
  cookies: unknown
  request: { res: unknown; response: unknown }
  response: { ctx: unknown; request: unknown }
}

const NOT_FOUND = 404

/**
 * Gives a context whose answer has gone out the parts for another answer, without a client. What outer layers have put on
 * it stays: `next` goes on only with this context.
 */
export function renewContext(context: KoaContext, { url, baseline, connection }: Before): void {
  const parts = context as Parts
  const { app, req, request } = parts
  req.url = url
  delete req._parsedUrl
  const res = detached(req, context.res, baseline, connection)
  res.statusCode = NOT_FOUND // as Koa begins
  const { response } = app.createContext(req, res) as Parts
  Object.assign(response, { ctx: context, request })
  Object.assign(request, { res, response })
  Object.assign(context, { res, response, cookies: undefined, respond: undefined })
}
