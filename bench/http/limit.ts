import type { IncomingMessage, ServerResponse } from 'node:http'

import type { Load } from './origin.ts'

export type Middleware = (req: IncomingMessage, res: ServerResponse, next: () => void) => void

interface Kept {
  fields: string[]
  body: Buffer
  until: number
}

/** Useful work only: one look-up, one comparison of times, one header, one Buffer; waiters in a list. Not safe. */
export function leastMiddleware({ maxAge }: Load): Middleware {
  const kept = new Map<string, Kept>()
  const waiting = new Map<string, ServerResponse[]>()
  return (req, res, next) => {
    const url = req.url ?? ''
    const found = kept.get(url)
    if (found !== undefined && (Date.now() < found.until || waiting.has(url))) {
      res.writeHead(200, found.fields)
      res.end(found.body)
      return
    }
    const queue = waiting.get(url)
    if (queue !== undefined) {
      queue.push(res)
      return
    }
    waiting.set(url, [])
    const end = res.end.bind(res)
    res.end = ((given?: Buffer | string) => {
      const body = Buffer.from(given ?? '')
      const fields = Object.entries(res.getHeaders()).flatMap(([name, value]) => [name, String(value)])
      if (!res.hasHeader('content-length')) fields.push('Content-Length', String(body.length))
      fields.push('Date', new Date().toUTCString(), 'Age', '0')
      const entry = { fields, body, until: Date.now() + maxAge * 1000 }
      kept.set(url, entry)
      end(body)
      for (const other of waiting.get(url) ?? []) {
        other.writeHead(200, fields)
        other.end(body)
      }
      waiting.delete(url)
    }) as typeof res.end
    next()
  }
}
