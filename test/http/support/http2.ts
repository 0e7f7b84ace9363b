import { once } from 'node:events'
import {
  type ClientHttp2Stream,
  connect,
  createServer,
  type Http2ServerRequest,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'

import { onTestFinished } from 'vitest'

import { type Layer, makeFlight, type PlainHandler, type ServeOptions } from './serve.ts'

/** Serves `handler` by HTTP/2 behind a middleware, and connects to it. */
export async function serveHttp2(handler: PlainHandler, options?: ServeOptions, outside?: Layer) {
  const made = makeFlight(options)
  const server = createServer((req: Http2ServerRequest, res) => {
    const flight = (): void => made.flight(req as never, res as never, () => handler(req as never, res as never))
    if (outside === undefined) flight()
    else outside(req as never, res as never, flight)
  })
  // Seen below the middleware: what it keeps from the handler.
  const firstStreamGone = once(server, 'stream').then(([stream]) => once(stream as ServerHttp2Stream, 'close'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  onTestFinished(() => {
    session.destroy()
    server.close()
  })
  const begin = (path = '/', more: Record<string, string> = {}): ClientHttp2Stream =>
    session.request({ ':path': path, ...more })
  const get = async (path = '/', more: Record<string, string> = {}) => {
    const stream = begin(path, more)
    const [headers] = (await once(stream, 'response')) as [Record<string, string>]
    let body = ''
    for await (const chunk of stream) body += String(chunk)
    return { status: Number(headers[':status']), headers, body }
  }
  return { ...made, begin, get, firstStreamGone }
}
