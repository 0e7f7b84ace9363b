import type { IncomingMessage, ServerResponse } from 'node:http'

interface Kept {
  status: number
  headers: Record<string, string>
  body: string
}

/**
 * A cache as it is often written in an afternoon: it keeps whatever was written, under the URL, for everybody, and lets
 * all who ask at the same time have the first one's answer. It shows that an attack works; nothing else.
 */
export function naiveCache(keyOf: (req: IncomingMessage) => string = (req) => String(req.url)) {
  const kept = new Map<string, Kept>()
  const waiting = new Map<string, ServerResponse[]>()
  return (req: IncomingMessage, res: ServerResponse, next: () => void): void => {
    const key = keyOf(req)
    const found = kept.get(key)
    if (found !== undefined) {
      send(res, found)
      return
    }
    const queue = waiting.get(key)
    if (queue !== undefined) {
      queue.push(res)
      return
    }
    waiting.set(key, [])
    let body = ''
    const { write, end } = res
    res.write = function (chunk: unknown, ...rest: unknown[]) {
      body += String(chunk)
      return Reflect.apply(write, res, [chunk, ...rest])
    } as typeof res.write
    res.end = function (chunk?: unknown, ...rest: unknown[]) {
      if (typeof chunk === 'string' || Buffer.isBuffer(chunk)) body += String(chunk)
      return Reflect.apply(end, res, [chunk, ...rest])
    } as typeof res.end
    res.once('close', () => {
      const headers = Object.fromEntries(Object.entries(res.getHeaders()).map(([name, value]) => [name, String(value)]))
      delete headers['content-length']
      const answer = { status: res.statusCode, headers, body }
      kept.set(key, answer)
      for (const other of waiting.get(key) ?? []) send(other, answer)
      waiting.delete(key)
    })
    next()
  }
}

function send(res: ServerResponse, { status, headers, body }: Kept): void {
  res.writeHead(status, headers)
  res.end(body)
}
