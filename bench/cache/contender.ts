/** A way to have values cached, in its documented best set-up. */
export interface Contender {
  readonly name: string
  open(setup: Setup): Promise<Opened>
}

export interface Setup {
  /** Absent: memory only. */
  readonly url: string | undefined
  /** Whether values are kept in memory, too. */
  readonly memory: boolean
  readonly maxEntries: number
  /** ms, a multiple of 1000: one peer counts in seconds. */
  readonly ttl: number
  /** ms after the ttl in which the stale value is to be served while it is refilled. */
  readonly stale: number
  /** Values are Buffers, not what JSON can say. */
  readonly bytes: boolean
  readonly load: (key: string) => Promise<unknown>
}

export interface Opened {
  /** The value or a promise of it; whoever asks awaits. */
  get(key: string): unknown
  /** The value if memory has it, synchronously. */
  peek?(key: string): unknown
  close(): Promise<unknown>
}
