import type { Chunk } from './chunk.ts'

/** How a run is over, for those who read it. */
export interface TapeEnd {
  /** Set where it failed: what readers are told when they have read what came before. */
  readonly failure?: { readonly reason: unknown } | undefined
}

/** What a process knows of one run of a stream. Readers go along it, each at a pace of its own. */
export interface Tape {
  /** Whoever has read a chunk of one run can go on in another one of the same name only. */
  readonly run: string
  /** The number of the first chunk that is not there yet. */
  readonly length: number
  /** Set once nothing follows. */
  readonly end: TapeEnd | undefined
  /** The chunk of that number, if it is at hand. */
  at(index: number): Pick<Chunk, 'read'> | undefined
  /** Chunks from that number on, at least one: of those that are there, but not at hand. Rejects with `ProducerLostError`. */
  fetch(index: number): Promise<readonly Chunk[]>
}

/** The whole of a run, or of what is left of it: where its producer is, or where it is replayed. */
export class WholeTape implements Tape {
  readonly run: string
  /** The number of the first chunk that is kept: not 0 where a producer goes on without Redis, with what is at hand. */
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
