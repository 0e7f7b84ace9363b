import type { IncomingMessage, ServerResponse } from 'node:http'
import { Writable } from 'node:stream'

import { hasBody } from '../../../src/middleware/node/head-of.ts'

export type PlainHandler = (req: IncomingMessage, res: ServerResponse) => unknown

/** Lets a handler of Node's kind answer a `Request` with a `Response`, as adapters of frameworks do. */
export function nodeStyle(handler: PlainHandler): (request: Request) => Promise<Response> {
  return (request) =>
    new Promise((resolve, reject) => {
      const { pathname, search } = new URL(request.url)
      const headers = Object.fromEntries(request.headers)
      const rawHeaders = [...request.headers].flat()
      const req = { method: request.method, url: pathname + search, headers, rawHeaders }
      const res = new NodeStyleResponse(request.method, resolve)
      request.signal.addEventListener('abort', () => res.destroy())
      const run = async (): Promise<unknown> => handler(req as unknown as IncomingMessage, res as never)
      run().catch((error: unknown) => (res.headersSent ? res.destroy(error as Error) : reject(error as Error)))
    })
}

/** What handlers use of Node's response. */
class NodeStyleResponse extends Writable {
  statusCode = 200
  statusMessage = ''
  headersSent = false
  sendDate = true
  readonly req: { method: string; httpVersionMajor: number }
  readonly #resolve: (response: Response) => void
  readonly #headers = new Headers()
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #takesMore: () => void = () => {}

  constructor(method: string, resolve: (response: Response) => void) {
    super({ decodeStrings: true })
    this.req = { method, httpVersionMajor: 1 }
    this.#resolve = resolve
  }

  setHeader(name: string, value: string | number | readonly string[]): this {
    this.#headers.delete(name)
    return this.appendHeader(name, value)
  }

  appendHeader(name: string, value: string | number | readonly string[]): this {
    for (const line of [value].flat()) this.#headers.append(name, String(line))
    return this
  }

  getHeader(name: string): string | undefined {
    return this.#headers.get(name) ?? undefined
  }

  writeHead(status: number, ...rest: unknown[]): this {
    this.statusCode = status
    if (typeof rest[0] === 'string') this.statusMessage = rest.shift() as string
    const [fields = {}] = rest as [(Record<string, string> | string[])?]
    if (Array.isArray(fields)) {
      for (let index = 0; index + 1 < fields.length; index += 2)
        this.appendHeader(fields[index] ?? '', fields[index + 1] ?? '')
    } else for (const [name, value] of Object.entries(fields)) this.setHeader(name, value)
    return this
  }

  flushHeaders(): void {
    this.#begin()
  }

  /** A body that is given whole has a length, as with Node. */
  override end(...args: never[]): this {
    const chunk: unknown = typeof args[0] === 'function' ? undefined : args[0]
    const body = hasBody(this as unknown as ServerResponse)
    if (!this.headersSent && body && !this.#headers.has('content-length')) {
      this.setHeader('Content-Length', Buffer.byteLength((chunk ?? '') as string))
    }
    return super.end(...args)
  }

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.#begin()
    const controller = this.#controller
    if (controller === undefined) return callback()
    controller.enqueue(chunk)
    if ((controller.desiredSize ?? 0) > 0) callback()
    else {
      this.#takesMore = () => {
        this.#takesMore = () => {}
        callback()
      }
    }
  }

  override _final(callback: () => void): void {
    this.#begin()
    this.#controller?.close()
    callback()
  }

  override _destroy(error: Error | null, callback: () => void): void {
    this.#begin()
    if (!this.writableFinished) this.#controller?.error(error ?? new Error('destroyed'))
    callback()
  }

  #begin(): void {
    if (this.headersSent) return
    this.headersSent = true
    const { statusCode: status, statusMessage: statusText } = this
    const body = hasBody(this as unknown as ServerResponse) ? this.#body() : null
    this.#resolve(new Response(body, { status, statusText, headers: this.#headers }))
  }

  #body(): ReadableStream {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => void (this.#controller = controller),
        pull: () => this.#takesMore(),
        cancel: () => {
          this.#controller = undefined
          this.#takesMore()
          this.destroy()
        },
      },
      { highWaterMark: 16 * 1024, size: ({ byteLength }) => byteLength },
    )
  }
}
