import type { Outlet, OutletListener } from '../fill/sink.ts'

/** When as many bytes wait in a stream for its reader, the stream says that it is full. */
const HIGH_WATER_MARK = 64 * 1024

/** Takes the body for the reader of a `Response`. */
export interface BodyOutlet extends Outlet {
  /** The body of that response. */
  readonly stream: ReadableStream<Uint8Array> | null
  /** The reader gets an error instead of the rest. */
  fail(reason: unknown): void
}

/**
 * A response's body at the pace of its reader. Each reader gets its own bytes. It may change them or give their memory
 * away, and no other reader notices.
 */
export class BodyStream implements BodyOutlet {
  readonly stream: ReadableStream<Uint8Array>
  readonly #listener: OutletListener
  #controller!: ReadableStreamDefaultController<Uint8Array>
  #isOver = false

  constructor(listener: OutletListener) {
    this.#listener = listener
    this.stream = new ReadableStream(
      {
        start: (controller) => void (this.#controller = controller),
        pull: () => listener.onDrain(),
        cancel: () => this.#close(),
      },
      { highWaterMark: HIGH_WATER_MARK, size: ({ byteLength }) => byteLength },
    )
  }

  write(chunk: Buffer): boolean {
    if (this.#isOver) return true
    if (chunk.length > 0) this.#controller.enqueue(new Uint8Array(chunk))
    return (this.#controller.desiredSize ?? 0) > 0
  }

  /** Does nothing: written bytes can be read at once. */
  flush(): void {}

  end(chunk?: Buffer): void {
    if (this.#isOver) return
    if (chunk !== undefined) this.write(chunk)
    this.#controller.close()
    this.#close()
  }

  cut(): void {
    this.fail(new Error('the rest of this response will not come'))
  }

  fail(reason: unknown): void {
    if (this.#isOver) return
    this.#controller.error(reason)
    this.#close()
  }

  #close(): void {
    if (this.#isOver) return
    this.#isOver = true
    queueMicrotask(() => this.#listener.onClose())
  }
}

/** For a response that has no body, or that nobody reads. */
export class NoBody implements BodyOutlet {
  readonly stream = null
  readonly #listener: Pick<OutletListener, 'onClose'>

  constructor(listener: Pick<OutletListener, 'onClose'>) {
    this.#listener = listener
  }

  write(): boolean {
    return true
  }

  flush(): void {}

  end(): void {
    queueMicrotask(() => this.#listener.onClose())
  }

  cut(): void {
    this.end()
  }

  fail(): void {
    this.end()
  }
}
