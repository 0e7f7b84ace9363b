import type { IncomingMessage, ServerResponse } from 'node:http'

/** The members of Koa's context, 2 and 3, that are used here. */
export interface KoaContext {
  readonly app: { createContext(req: IncomingMessage, res: ServerResponse): object }
  readonly req: IncomingMessage
  res: ServerResponse
  /** The target as it came to the app. */
  readonly originalUrl: string
  status: number
  message: string
  body: unknown
  /** `false`: the handler writes to `res` itself. */
  respond?: boolean | undefined
  readonly headerSent: boolean
  set(name: string, value: string | string[]): void
  remove(name: string): void
}

export type KoaNext = () => Promise<unknown>

/** Whether somebody has begun to write to Node's response, or has announced it. Then Koa does not answer. */
export function isWritten({ respond, res }: KoaContext): boolean {
  return respond === false || res.headersSent || res.writableEnded
}
