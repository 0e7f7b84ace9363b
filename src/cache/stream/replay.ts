import { readChunk, writeChunk } from '../../stream/frames.ts'
import type { Tape, TapeEnd } from '../../stream/tape.ts'

/** A stored stream: its chunks are the items of a list. */
export class Replay implements Tape {
  readonly run = 'replay'
  readonly end: TapeEnd = {}
  readonly #chunks: readonly unknown[]

  constructor(chunks: readonly unknown[]) {
    this.#chunks = chunks
  }

  get length(): number {
    return this.#chunks.length
  }

  at(index: number): { read(): unknown } | undefined {
    return index < this.#chunks.length ? { read: () => own(this.#chunks[index]) } : undefined
  }

  fetch(): Promise<never> {
    return Promise.reject(new Error('all of it is at hand'))
  }
}

/** A copy of a chunk that a reader could change; other chunks as they are. */
function own(chunk: unknown): unknown {
  const isShareable = typeof chunk !== 'object' || chunk === null || Object.isFrozen(chunk)
  return isShareable ? chunk : readChunk(writeChunk(chunk))
}
