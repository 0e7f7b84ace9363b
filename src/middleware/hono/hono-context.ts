/** The members of Hono's context that are used here. */
export interface HonoContext {
  readonly req: HonoRequest
  get res(): Response
  set res(response: Response | undefined)
  readonly finalized: boolean
  readonly env: unknown
  /** Throws if the host has none. */
  readonly executionCtx: { waitUntil(work: Promise<unknown>): void }
  /** What layers have set by `set`. */
  readonly var: Readonly<Record<string, unknown>>
  notFound(): Response | Promise<Response>
}

interface HonoRequest {
  raw: Request
  readonly path: string
  readonly routeIndex: number
}

export type HonoNext = () => Promise<void>

/** A layer or a handler of Hono. */
export type HonoHandler = (context: HonoContext, next: HonoNext) => Promise<Response | undefined | void> | Response
