import type { Chunk, MakeChunk } from './chunk.ts'
import type { Resumption } from './frames.ts'
import type { Tape, TapeEnd } from './tape.ts'

/** Bytes of chunks that a process keeps of a run that is produced elsewhere. */
const WINDOW_BYTES = 256 * 1024

/** The latest chunks of a run that another process produces. Readers that need earlier ones read them from Redis. */
export class Window implements Tape {
  readonly run: string
  readonly #makeChunk: MakeChunk
  #read: (index: number) => Promise<readonly Buffer[]>
  /** Chunks from number `#start` on. Those before index `#dropped` in the list are no longer kept. */
  #chunks: (Chunk | undefined)[] = []
  #dropped = 0
  #start = 0
  #bytes = 0
  /** Number of the first chunk → the read: readers that lag behind together share it. */
  readonly #fetching = new Map<number, Promise<readonly Chunk[]>>()
  end: TapeEnd | undefined
  /** Those of the run, as far as is known. Set by the relay that follows it. */
  resumptions: readonly Resumption[] = []

  /** `read` reads frames of chunks from a number on, at least one. */
  constructor(run: string, makeChunk: MakeChunk, read: (index: number) => Promise<readonly Buffer[]>) {
    this.run = run
    this.#makeChunk = makeChunk
    this.#read = read
  }

  get length(): number {
    return this.#start + this.#chunks.length
  }

  /** The number of the first kept chunk. */
  get from(): number {
    return this.#start + this.#dropped
  }

  at(index: number): Chunk | undefined {
    return this.#chunks[index - this.#start]
  }

  /** The kept chunks. */
  get chunks(): Chunk[] {
    return this.#chunks.slice(this.#dropped) as Chunk[]
  }

  push(frame: Buffer): void {
    this.#chunks.push(this.#makeChunk(frame))
    this.#bytes += frame.length
    while (this.#bytes > WINDOW_BYTES && this.from < this.length - 1) this.#drop()
  }

  #drop(): void {
    this.#bytes -= (this.#chunks[this.#dropped] as Chunk).frame.length
    this.#chunks[this.#dropped++] = undefined
    if (this.#dropped <= this.#chunks.length / 2) return
    this.#chunks.splice(0, this.#dropped)
    this.#start += this.#dropped
    this.#dropped = 0
  }

  /** From now on, fetches with `read`: another producer continues the run. */
  fetchBy(read: (index: number) => Promise<readonly Buffer[]>): void {
    this.#read = read
  }

  fetch(index: number): Promise<readonly Chunk[]> {
    let fetched = this.#fetching.get(index)
    if (fetched === undefined) {
      fetched = this.#read(index).then((frames) => frames.map(this.#makeChunk))
      this.#fetching.set(index, fetched)
      fetched.finally(() => this.#fetching.delete(index)).catch(() => {}) // those that wait for it get the error
    }
    return fetched
  }
}
