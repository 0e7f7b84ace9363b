/** What happened in a run, as its processes saw it. Instants are ms of the monotonic clock that all of a machine share. */
export interface History {
  readonly calls: readonly Call[]
  readonly loads: readonly Load[]
  readonly readings: readonly Reading[]
  readonly changes: readonly Change[]
  readonly hearings: readonly Hearing[]
  readonly lapses: readonly Lapse[]
  readonly stalls: readonly Stall[]
  readonly faults: readonly Fault[]
}

/** One call of a cache. */
export interface Call {
  /** The process that made it; one that was started in the place of another has a name of its own. */
  readonly process: string
  readonly key: string
  readonly method: string
  readonly from: number
  /** `null`: it was never answered. */
  readonly to: number | null
  /**
   * `memory`: answered, or helped out, by what the process had in memory. `joined`: a flight that was under way before.
   * `own`: nothing but what happened after it began.
   */
  readonly how: 'memory' | 'joined' | 'own'
  /** The version that it got, and of which key. Absent where it got no value. */
  readonly version?: number | undefined
  readonly of?: string | undefined
  /** The keys that were asked for together, of which any may have failed the call. Absent: `key` alone. */
  readonly together?: readonly string[] | undefined
  /** What it failed with. One that its own caller gave up has none. */
  readonly error?: string | undefined
}

/** One run of a loader, or of the producer of a stream, which reads the version from the origin. */
export interface Load {
  readonly process: string
  readonly key: string
  /** When the process last asked for the lease before. A change from then on may take it away again. */
  readonly claimedAt: number
  readonly from: number
  readonly to: number
  readonly failed: boolean
  /** Asked for by `forceFresh`, or without a lease: it may run beside others. */
  readonly forced: boolean
}

/** One reader of a stream, from its first wait on. */
export interface Reading {
  readonly process: string
  readonly key: string
  readonly from: number
  /** `null`: it was waiting when all was over. */
  readonly to: number | null
  /** As that of a call, at its first wait. */
  readonly how: Call['how']
  /** Whether another producer may go on with the stream of one that is lost. */
  readonly resumes: boolean
  readonly pieces: readonly Piece[]
  /** `whole`: the stream said so. `left`: the reader wished so. */
  readonly end?: 'whole' | 'left' | undefined
  /** What it failed with. */
  readonly error?: string | undefined
}

/** One chunk of a stream, as its producer has made it. */
export interface Chunk {
  /** The run of a producer that has made it. */
  readonly run: string
  /** The number of the first chunk of that run: not 0 where it goes on with the stream of another. */
  readonly since: number
  readonly number: number
  /** How many the stream has in all. */
  readonly of: number
  /** The origin's, when the run began. */
  readonly version: number
}

/** A chunk that a reader got at that instant. */
export interface Piece extends Chunk {
  readonly at: number
}

/** The origin changed to `version`; then the cache was told. */
export interface Change {
  readonly process: string
  readonly key: string
  readonly version: number
  readonly from: number
  /** When that was done, or can happen no more. */
  readonly to: number
  /** `false`: its process was killed meanwhile, and the change may have been carried out, or not. */
  readonly isDone: boolean
}

/**
 * A message that left after that change was done has reached the process, which was in step then. One that was not, because
 * it had just lost or opened its connection for messages, counts as having heard when it had been in step for long enough.
 */
export interface Hearing {
  readonly process: string
  readonly key: string
  readonly version: number
  readonly at: number
}

/** The cache said that it had lost a lease. */
export interface Lapse {
  readonly process: string
  readonly key: string
  readonly at: number
}

/** The event loop of a process, or of the run itself (`process` is absent), stood still. */
export interface Stall {
  readonly process?: string | undefined
  readonly from: number
  readonly to: number
}

/** Something that was done to one process, or to all of them (`process` is absent). */
export interface Fault {
  readonly kind: string
  readonly process?: string | undefined
  readonly from: number
  /** From then on things are as before, but for those that have to recover. */
  readonly to: number
  /** Whether Redis, or that process, cannot keep to "one load at a time" meanwhile. */
  readonly harms: boolean
  /** Whether that process did not run meanwhile. */
  readonly froze?: boolean | undefined
  /** Whether changes that were done meanwhile may not have been done. */
  readonly loses?: boolean | undefined
  /** Whether it was killed, so that what it saw last is not known. */
  readonly silenced?: boolean | undefined
}
