import type { Baseline } from '../rules/fields.ts'
import type { HonoContext, HonoHandler } from './hono-context.ts'

/** Whatever handlers a request has been matched to, with what they need to read its parameters. */
type Match = readonly [handlers: ReadonlyArray<readonly [[handler: HonoHandler, route: unknown], parameters: unknown]>]

/** The parts of a context of its own. */
interface OwnContext extends HonoContext {
  set(name: string, value: unknown): void
  header(name: string, value: string, options: { append: true }): void
  render(...content: unknown[]): Response | Promise<Response>
  setRenderer(renderer: (...content: unknown[]) => Promise<Response>): void
  newResponse(body: ReadableStream | null, like: Response): Response
}

type ContextClass = new (request: Request, options: object) => OwnContext

/**
 * Makes what runs the layers and the handler after `self` once more, for nobody: on a context of its own, which has what
 * layers outside have put on this one until now. Hono drops a second response once the first is final. Undefined where the
 * place of `self` among them cannot be told.
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

/** Kept by a request of Hono's under a symbol that it does not give away. */
function matchOf(req: HonoContext['req']): Match | undefined {
  const kept = req as unknown as Record<symbol, unknown>
  for (const symbol of Object.getOwnPropertySymbols(Object.getPrototypeOf(req))) {
    const value = kept[symbol]
    if (Array.isArray(value) && Array.isArray(value[0])) return value as unknown as Match
  }
  return undefined
}

/** A sub-app with an error handler of its own wraps what it was given. */
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
