import type { Chunk, MakeChunk } from './chunk.ts'
import type { Tape, TapeEnd } from './tape.ts'

/** Bytes of chunks that a process keeps at hand of a run that is produced elsewhere. */
const WINDOW_BYTES = 256 * 1024

/** The latest chunks of a run that is produced by another process. Earlier ones are read from Redis by those who need them. */
export class Window implements Tape {
  readonly run: string
  readonly #makeChunk: MakeChunk
  #read: (index: number) => Promise<readonly Buffer[]>
  /** Those from number `#start` on. What is before `#dropped` in the list is not kept any more. */
  #chunks: (Chunk | undefined)[] = []
  #dropped = 0
  #start = 0
  #bytes = 0
  /** By number of the first: readers that lag behind in step share what they read. */
  readonly #fetching = new Map<number, Promise<readonly Chunk[]>>()
  end: TapeEnd | undefined
  /** How often the run has been resumed, as far as is known. Set by whoever follows it. */
  resumptions = 0

  /** `read` reads frames of chunks from a number on, at least one. */
  constructor(run: string, makeChunk: MakeChunk, read: (index: number) => Promise<readonly Buffer[]>) {
    this.run = run
    this.#makeChunk = makeChunk
    this.#read = read
  }

  get length(): number {
    return this.#start + this.#chunks.length
  }

  /** The number of the first that is at hand. */
  get from(): number {
    return this.#start + this.#dropped
  }

  at(index: number): Chunk | undefined {
    return this.#chunks[index - this.#start]
  }

  /** Those at hand. */
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

  /** From now on by another way: another producer goes on with the run. */
  fetchBy(read: (index: number) => Promise<readonly Buffer[]>): void {
    this.#read = read
  }

  fetch(index: number): Promise<readonly Chunk[]> {
    let fetched = this.#fetching.get(index)
    if (fetched === undefined) {
      fetched = this.#read(index).then((frames) => frames.map(this.#makeChunk))
      this.#fetching.set(index, fetched)
      fetched.finally(() => this.#fetching.delete(index)).catch(() => {}) // it is told to those who wait
    }
    return fetched
  }
}
