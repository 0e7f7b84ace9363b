/** One chunk of a stream, as a process has it. */
export interface Chunk {
  /** How it stands in Redis. */
  readonly frame: Buffer
  /** What a reader gets. What one of them does to it, no other sees. */
  read(): unknown
}

export type MakeChunk = (frame: Buffer) => Chunk
