import type { Chunk } from './chunk.ts'

/** How a run ended, for its readers. */
export interface TapeEnd {
  /** Set if it failed: what readers get once they have read what came before. */
  readonly failure?: { readonly reason: unknown } | undefined
}

/** What a process knows of one run of a stream. Readers go along it, each at its own pace. */
export interface Tape {
  /** A reader that has had a chunk of one run can go on only with a run of the same name. */
  readonly run: string
  /** The number of the first chunk that has not come yet. */
  readonly length: number
  /** Set once nothing follows. */
  readonly end: TapeEnd | undefined
  /** The chunk of that number, if this process has it. */
  at(index: number): Pick<Chunk, 'read'> | undefined
  /** Fetches chunks from that number on, at least one, that this process no longer has. Rejects with `ProducerLostError`. */
  fetch(index: number): Promise<readonly Chunk[]>
}

/** A whole run, or all that is left of it, in the process of its producer. */
export class WholeTape implements Tape {
  readonly run: string
  /** The number of the first kept chunk. Not 0 if a producer goes on without Redis, from what this process has. */
  readonly start: number
  readonly chunks: Chunk[]
  end: TapeEnd | undefined
  readonly #whyLost: () => Error

  constructor(run: string, whyLost: () => Error, chunks: Chunk[] = [], start = 0) {
    this.run = run
    this.#whyLost = whyLost
    this.chunks = chunks
    this.start = start
  }

  get length(): number {
    return this.start + this.chunks.length
  }

  at(index: number): Chunk | undefined {
    return this.chunks[index - this.start]
  }

  fetch(): Promise<readonly Chunk[]> {
    return Promise.reject(this.#whyLost())
  }
}
