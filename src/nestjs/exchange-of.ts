import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ExecutionContext } from '@nestjs/common'

/** Node's own request and response. */
interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** Restores the fields of the handler. Call it before the handler runs. */
  goOn(): void
}

/** Fastify's reply, which keeps its fields to itself until it sends them. */
interface Reply {
  readonly raw: ServerResponse
  getHeaders(): Record<string, number | string | string[] | undefined>
}

/** Nest's own metadata key of `@Header()`. */
const HEADERS = '__headers__'

/**
 * The current request. Its response has the fields that outer layers have set. Nest has set those of `@Header()` too, but
 * they belong to the handler: the response has them only while the handler runs.
 */
export function exchangeOf(context: ExecutionContext): Exchange {
  const http = context.switchToHttp()
  const request = http.getRequest<IncomingMessage & { raw?: IncomingMessage }>()
  const response = http.getResponse<ServerResponse | Reply>()
  const own = ownFieldsOf(context)
  if (!('raw' in response)) return { req: request, res: response, goOn: withoutFields(response, own) }
  return { req: request.raw ?? request, res: response.raw, goOn: withFieldsOf(response, own) }
}

/** By lower-case name. */
function ownFieldsOf(context: ExecutionContext): ReadonlySet<string> {
  const headers = (Reflect.getMetadata(HEADERS, context.getHandler()) ?? []) as ReadonlyArray<{ name: string }>
  return new Set(headers.map(({ name }) => name.toLowerCase()))
}

/** Removes fields from a response. Returns a function that restores them. */
function withoutFields(res: ServerResponse, names: ReadonlySet<string>): () => void {
  const taken = [...names].map((name) => [name, res.getHeader(name)] as const)
  for (const name of names) res.removeHeader(name)
  return () => {
    for (const [name, value] of taken) if (value !== undefined) res.setHeader(name, value)
  }
}

/**
 * Copies the fields of a reply to Node's response, except those with these names. Returns a function that removes them
 * again.
 */
function withFieldsOf(reply: Reply, names: ReadonlySet<string>): () => void {
  const { raw } = reply
  const before = raw.getHeaders()
  const put: string[] = []
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value === undefined || name in before || names.has(name)) continue
    raw.setHeader(name, value)
    put.push(name)
  }
  return () => {
    for (const name of put) raw.removeHeader(name)
  }
}
