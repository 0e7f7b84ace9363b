import type { Baseline } from '../rules/fields.ts'
import type { HonoContext, HonoHandler } from './hono-context.ts'

/** The handlers that match a request, with what they need to read its parameters. */
type Match = readonly [handlers: ReadonlyArray<readonly [[handler: HonoHandler, route: unknown], parameters: unknown]>]

/** The members that are used of a new context. */
interface OwnContext extends HonoContext {
  set(name: string, value: unknown): void
  header(name: string, value: string, options: { append: true }): void
  render(...content: unknown[]): Response | Promise<Response>
  setRenderer(renderer: (...content: unknown[]) => Promise<Response>): void
  newResponse(body: ReadableStream | null, like: Response): Response
}

type ContextClass = new (request: Request, options: object) => OwnContext

/**
 * Makes a function that runs the layers and the handler after `self` once more, without a client. They run on a new
 * context, because Hono drops a second response once the first is final. The new context has what outer layers have put on
 * this one until now. Undefined if the place of `self` among the layers is unknown.
 */
export function onOwnContext(
  context: HonoContext,
  self: HonoHandler,
  baseline: Baseline,
): ((request: Request) => Promise<Response>) | undefined {
  const { env, req } = context
  const { path, routeIndex } = req
  const match = matchOf(req)
  if (match === undefined || !isSame(match[0][routeIndex]?.[0][0], self)) return undefined
  const outside = context as OwnContext
  const variables = Object.entries(context.var)
  return async (request) => {
    const notFoundHandler = (): unknown => context.notFound()
    const executionCtx = executionOf(context)
    const Context = context.constructor as ContextClass
    const own = new Context(request, { path, matchResult: match, env, executionCtx, notFoundHandler })
    for (const [name, value] of variables) own.set(name, value)
    for (const [name, value] of baseline) {
      for (const line of [value].flat()) own.header(name, line, { append: true })
    }
    own.setRenderer(async (...content) => {
      const page = await outside.render(...content)
      return own.newResponse(page.body, page)
    })
    await runFrom(routeIndex + 1, match, own)
    return own.res
  }
}

async function runFrom(index: number, match: Match, context: HonoContext): Promise<void> {
  const handler = match[0][index]?.[0][0]
  let response: Response | undefined | void
  if (handler !== undefined) {
    ;(context.req as { routeIndex: number }).routeIndex = index
    response = await handler(context, () => runFrom(index + 1, match, context))
  } else if (!context.finalized) response = await context.notFound()
  if (response && !context.finalized) context.res = response
}

/** A request of Hono keeps it under a private symbol. */
function matchOf(req: HonoContext['req']): Match | undefined {
  const kept = req as unknown as Record<symbol, unknown>
  for (const symbol of Object.getOwnPropertySymbols(Object.getPrototypeOf(req))) {
    const value = kept[symbol]
    if (Array.isArray(value) && Array.isArray(value[0])) return value as unknown as Match
  }
  return undefined
}

/** A sub-app with its own error handler wraps the handlers that it is given. */
function isSame(handler: HonoHandler | undefined, self: HonoHandler): boolean {
  return handler === self || (handler as { __COMPOSED_HANDLER?: unknown } | undefined)?.__COMPOSED_HANDLER === self
}

function executionOf(context: HonoContext): HonoContext['executionCtx'] | undefined {
  try {
    return context.executionCtx
  } catch {
    return undefined
  }
}
