/** What is used of Hono's context. */
export interface HonoContext {
  readonly req: HonoRequest
  get res(): Response
  set res(response: Response | undefined)
  readonly finalized: boolean
  readonly env: unknown
  /** Throws where the host has none. */
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

/** Hono's layer and handlers alike. */
export type HonoHandler = (context: HonoContext, next: HonoNext) => Promise<Response | undefined | void> | Response
