import { once } from 'node:events'
import { type IncomingMessage, request, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'

/** How the handler hands the origin's header on: both must make no difference to the middleware. */
export type Style = 'writeHead' | 'setHeader'

/** Fields of the connection to the origin, which are not the origin's words about the response. */
const OF_THE_CONNECTION = new Set(['connection', 'keep-alive', 'transfer-encoding'])

/** A handler that asks an origin and hands on what it says, the bluntest proxy there can be. */
export function passThrough(port: number, style: Style): (req: IncomingMessage, res: ServerResponse) => void {
  return (req, res) => {
    const { connection: _connection, ...headers } = req.headers
    const upstream = request({ host: '127.0.0.1', port, method: req.method, path: req.url, headers, agent: false })
    let isComplete = (): boolean => false
    upstream.on('response', (response) => {
      isComplete = () => response.complete
      const fields = fieldsOf(response)
      const status = response.statusCode ?? 502
      if (style === 'writeHead') {
        res.writeHead(status, response.statusMessage, fields)
      } else {
        res.statusCode = status
        for (let index = 0; index + 1 < fields.length; index += 2)
          res.appendHeader(fields[index] ?? '', fields[index + 1] ?? '')
      }
      response.pipe(res)
    })
    upstream.on('error', () => {
      // Some origins of the suite send more than they have announced: that is an error only after the response.
      if (isComplete()) return
      if (res.headersSent) res.destroy()
      else res.writeHead(502).end('no answer from the origin')
    })
    req.pipe(upstream)
  }
}

/** The same for servers that answer a `Request` with a `Response`. */
export function passThroughFetch(port: number): (request: Request) => Promise<Response> {
  return async (asked) => {
    const { pathname, search } = new URL(asked.url)
    const { connection: _connection, ...headers } = Object.fromEntries(asked.headers)
    const path = pathname + search
    const upstream = request({ host: '127.0.0.1', port, method: asked.method, path, headers, agent: false })
    upstream.on('error', () => {}) // more than was announced is an error only after the response
    upstream.end(Buffer.from(await asked.arrayBuffer()))
    let response: IncomingMessage
    try {
      ;[response] = (await once(upstream, 'response')) as [IncomingMessage]
    } catch {
      return new Response('no answer from the origin', { status: 502 })
    }
    const own = new Headers()
    const fields = fieldsOf(response)
    for (let index = 0; index + 1 < fields.length; index += 2) own.append(fields[index] ?? '', fields[index + 1] ?? '')
    const { statusCode: status = 502, statusMessage: statusText = '' } = response
    const isEmpty = asked.method === 'HEAD' || status === 204 || status === 205 || status === 304
    const body = isEmpty ? null : (Readable.toWeb(response) as ReadableStream)
    return new Response(body, { status, statusText, headers: own })
  }
}

/** The origin's words, as they came. */
function fieldsOf({ rawHeaders }: IncomingMessage): string[] {
  const fields: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    const value = rawHeaders[index + 1] ?? ''
    const listsFields = name.toLowerCase() === 'connection' && !/^(close|keep-alive)$/i.test(value)
    if (!OF_THE_CONNECTION.has(name.toLowerCase()) || listsFields) fields.push(name, value)
  }
  return fields
}
