import { once } from 'node:events'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { ReadableStream as NodeStream } from 'node:stream/web'

/** The plainest server for `fetch` handlers: what a client sees is what the `Response` says, and its cut is a cut. */
export function listenerOf(handler: (request: Request) => Promise<Response>): RequestListener {
  return (req, res) => {
    const left = new AbortController()
    res.once('close', () => {
      if (!res.writableFinished) left.abort()
    })
    handler(requestOf(req, left.signal))
      .then((response) => send(res, response))
      .catch(() => (res.headersSent ? res.destroy() : res.writeHead(500).end('no answer')))
  }
}

function requestOf(req: IncomingMessage, signal: AbortSignal): Request {
  const headers = new Headers()
  for (let index = 0; index + 1 < req.rawHeaders.length; index += 2) {
    headers.append(req.rawHeaders[index] ?? '', req.rawHeaders[index + 1] ?? '')
  }
  const { method = 'GET' } = req
  const hasBody = method !== 'GET' && method !== 'HEAD'
  const body = hasBody ? { body: Readable.toWeb(req) as ReadableStream, duplex: 'half' as const } : {}
  return new Request(`http://${req.headers.host ?? 'none'}${req.url}`, { method, headers, signal, ...body })
}

async function send(res: ServerResponse, response: Response): Promise<void> {
  if (res.destroyed) return response.body?.cancel()
  const fields: string[] = []
  response.headers.forEach((value, name) => fields.push(name, value))
  res.writeHead(response.status, response.statusText || undefined, fields)
  if (response.body === null) return void res.end()
  res.flushHeaders()
  const reader = (response.body as NodeStream<Uint8Array>).getReader()
  res.once('close', () => void reader.cancel().catch(() => {}))
  for (let piece = await reader.read(); !piece.done && !res.destroyed; piece = await reader.read()) {
    if (!res.write(piece.value) && !res.destroyed) await Promise.race([once(res, 'drain'), once(res, 'close')])
  }
  res.end()
}
