/** The body of a handler's response, read piece by piece. */
export interface Pieces {
  /** A copy, because handlers reuse their memory. Undefined at the end. Rejects if the rest does not come. */
  next(): Promise<Buffer | undefined>
  /** Nobody needs the rest. */
  cancel(): void
}

/** @throws TypeError if somebody else reads `body` */
export function piecesOf(body: ReadableStream<unknown>): Pieces {
  const reader = body.getReader()
  return {
    async next() {
      const { done, value } = await reader.read()
      return done ? undefined : bytesOf(value)
    },
    cancel() {
      reader.cancel().catch(() => {})
    },
  }
}

/** Servers also take strings, although the standard allows only bytes. */
function bytesOf(piece: unknown): Buffer {
  if (typeof piece === 'string') return Buffer.from(piece)
  if (piece instanceof Uint8Array) return Buffer.from(piece)
  throw new TypeError(`the body of a Response must consist of Uint8Arrays, received a value of type ${typeof piece}`)
}
