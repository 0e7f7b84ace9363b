import { type Readable, Stream } from 'node:stream'

/** A source for a handler's body: a Node stream or a web stream. */
export type Source = Readable | ReadableStream<unknown>

/**
 * The bytes of a handler's stream. Nothing is read before somebody reads here. Koa destroys a stream when its client
 * leaves, but that has no effect once somebody reads here. `hasLeft` tells whether the client has left. `onOver` is called
 * when nobody needs the stream any more.
 */
export function lastingBody(source: Source, hasLeft: () => boolean, onOver: () => void): ReadableStream<Uint8Array> {
  let chunks: AsyncIterator<unknown> | undefined
  let release = (): void => {}
  const end = (): void => {
    release()
    if (source instanceof Stream) source.destroy()
    else if (chunks === undefined) source.cancel().catch(() => {})
    else chunks.return?.().catch(() => {})
    onOver()
  }
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (chunks === undefined) {
          chunks = source[Symbol.asyncIterator]()
          if (source instanceof Stream) release = keepOpen(source, hasLeft)
        }
        try {
          const { done, value } = await chunks.next()
          if (done !== true) return controller.enqueue(bytesOf(value))
          controller.close()
        } catch (error) {
          controller.error(error)
        }
        end()
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  )
}

function bytesOf(chunk: unknown): Uint8Array {
  return typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array)
}

/** A `destroy` with an error still destroys it. */
function keepOpen(source: Readable, hasLeft: () => boolean): () => void {
  const { destroy } = source
  const own = function (this: Readable, error?: Error): Readable {
    const isKoas = error === undefined && hasLeft() && !source.readableEnded
    return isKoas ? source : destroy.call(source, error)
  }
  source.destroy = own
  return () => {
    if (source.destroy === own) source.destroy = destroy
  }
}
