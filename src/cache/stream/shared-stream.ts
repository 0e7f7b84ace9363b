/**
 * A shared stream. Each iteration is a separate reader. It starts with its first `next`, at the first chunk. Rejects with
 * the producer's own reason, `RefillFailedError` (it failed in another process), `ProducerLostError`, `StreamLimitError`,
 * `signal.reason`, or `ClosedError`.
 */
export interface SharedStream<C> extends AsyncIterable<C> {
  [Symbol.asyncIterator](): AsyncIterableIterator<C>
  /** As bytes: texts as UTF-8, bytes as they are, other values as lines of JSON. */
  readable(): ReadableStream<Uint8Array>
}

export class RepeatableStream<C> implements SharedStream<C> {
  readonly #read: () => AsyncIterableIterator<C>

  /** `read` makes a reader. */
  constructor(read: () => AsyncIterableIterator<C>) {
    this.#read = read
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<C> {
    return this.#read()
  }

  readable(): ReadableStream<Uint8Array> {
    const reader = this.#read()
    const bytes = new ChunkBytes()
    return new ReadableStream({
      type: 'bytes',
      async pull(controller) {
        for (;;) {
          const { done, value } = await reader.next()
          const piece = done === true ? bytes.end() : bytes.of(value)
          if (piece.byteLength > 0) controller.enqueue(piece)
          if (done === true) {
            controller.close()
            controller.byobRequest?.respond(0)
          }
          if (done === true || piece.byteLength > 0) return
        }
      },
      async cancel() {
        await reader.return?.()
      },
    })
  }
}

/** Turns chunks into bytes that belong to the reader. A surrogate pair may be split between two texts. */
class ChunkBytes {
  readonly #encoder = new TextEncoder()
  #half = ''

  of(chunk: unknown): Uint8Array<ArrayBuffer> {
    if (typeof chunk !== 'string') return join(this.end(), this.#whole(chunk))
    const text = this.#half + chunk
    const last = text.charCodeAt(text.length - 1)
    this.#half = last >= 0xd800 && last <= 0xdbff ? text.slice(-1) : ''
    return this.#encoder.encode(this.#half === '' ? text : text.slice(0, -1))
  }

  /** The rest: half of a pair, which is then encoded alone. */
  end(): Uint8Array<ArrayBuffer> {
    const half = this.#half
    this.#half = ''
    return this.#encoder.encode(half)
  }

  #whole(chunk: unknown): Uint8Array<ArrayBuffer> {
    if (chunk instanceof Uint8Array) return new Uint8Array(chunk)
    return this.#encoder.encode(`${JSON.stringify(chunk)}\n`)
  }
}

function join(first: Uint8Array<ArrayBuffer>, second: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (first.byteLength === 0) return second
  const joined = new Uint8Array(first.byteLength + second.byteLength)
  joined.set(first)
  joined.set(second, first.byteLength)
  return joined
}
