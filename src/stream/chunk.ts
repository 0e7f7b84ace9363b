/** One chunk of a stream in a process. */
export interface Chunk {
  /** Its form in Redis. */
  readonly frame: Buffer
  /** What a reader gets. No reader sees what another does to it. */
  read(): unknown
}

export type MakeChunk = (frame: Buffer) => Chunk
