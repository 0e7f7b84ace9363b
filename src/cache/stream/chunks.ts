import { defaultCodec } from '../../store/codec.ts'
import type { Chunk } from '../../stream/chunk.ts'
import { readChunk } from '../../stream/frames.ts'
import { type Isolated, isolateRead, readOf } from '../local/isolation.ts'

/** A published chunk. It is decoded when somebody first asks for it. */
class PublishedChunk implements Chunk {
  readonly frame: Buffer
  #isolated: Isolated<unknown> | undefined

  constructor(frame: Buffer) {
    this.frame = frame
  }

  read(): unknown {
    this.#isolated ??= this.#isolate()
    return readOf(this.#isolated)
  }

  #isolate(): Isolated<unknown> {
    const again = (): unknown => readChunk(this.frame)
    return isolateRead({ value: again(), bytes: this.frame.length, again }, defaultCodec)
  }
}

export function makeChunk(frame: Buffer): Chunk {
  return new PublishedChunk(frame)
}
