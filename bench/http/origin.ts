import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

/** What one server of the bench serves. */
export interface Load {
  /** Of `/page`: size, ms that its handler takes, seconds of freshness; stale it may be sent for a minute more. */
  readonly bytes: number
  readonly delay: number
  readonly maxAge: number
}

/** ms that the handlers of the scenes take, and the page that streams. */
export const WORK = 300
export const STREAM = 1000
/** Bytes of the page whose first client leaves. */
export const LEFT_BYTES = 64 * 1024

type Page = (req: IncomingMessage, res: ServerResponse) => unknown

/** The same handlers for all contenders: `/page` for the measurements of speed, the others for the scenes. */
export function originOf({ bytes, delay: pageDelay, maxAge }: Load, onRun: () => void): RequestListener {
  const body = 'x'.repeat(bytes)
  const pages: Record<string, Page> = {
    '/page': (_req, res) => {
      const answer = (): void => {
        res.setHeader('Cache-Control', `max-age=${maxAge}, stale-while-revalidate=60`)
        res.setHeader('Content-Type', 'text/plain')
        send(res, body)
      }
      if (pageDelay === 0) answer()
      else setTimeout(answer, pageDelay)
    },
    '/cacheable': async (_req, res) => {
      await delay(WORK)
      res.setHeader('Cache-Control', 'public, max-age=60')
      send(res, 'for everybody')
    },
    '/private': async (req, res) => {
      await delay(WORK)
      res.setHeader('Cache-Control', 'private')
      send(res, `for ${String(req.headers['x-user'])}`)
    },
    '/expiring': async (_req, res) => {
      await delay(WORK)
      res.setHeader('Cache-Control', 'max-age=1, stale-while-revalidate=60')
      send(res, 'for everybody')
    },
    '/left': async (_req, res) => {
      res.writeHead(200, { 'Cache-Control': 'public, max-age=60' })
      res.write(Buffer.alloc(LEFT_BYTES / 2, 'x'))
      await delay(WORK)
      res.end(Buffer.alloc(LEFT_BYTES / 2, 'x'))
    },
    '/streaming': async (_req, res) => {
      res.writeHead(200, { 'Cache-Control': 'public, max-age=60' })
      for (let part = 0; part < 10; part++) {
        res.write(Buffer.alloc(1024, 'x'))
        await delay(STREAM / 10)
      }
      res.end()
    },
  }
  return (req, res) => {
    const page = pages[req.url?.split('?')[0] ?? '']
    if (page === undefined) {
      res.writeHead(404).end()
      return
    }
    onRun()
    void page(req, res)
  }
}

const buffers = new Map<string, Buffer>()

/** Express's way where there is one: some caches see nothing else. */
function send(res: ServerResponse & { send?: (body: string) => unknown }, body: string): void {
  if (res.send !== undefined) {
    res.send(body)
    return
  }
  const bytes = buffers.get(body) ?? Buffer.from(body)
  if (body.length > 1000) buffers.set(body, bytes)
  res.end(bytes)
}
