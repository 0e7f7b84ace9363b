import { onAbort, reasonOf, throwIfAborted } from '../../abort.ts'
import { ProducerLostError } from '../../errors.ts'
import type { Chunk } from '../../stream/chunk.ts'
import type { Pulse } from '../../stream/pulse.ts'
import type { Tape } from '../../stream/tape.ts'
import type { Caller } from './options.ts'

/** Where a reader reads: one stream in this process. */
export interface Place {
  /** Absent until it is known. */
  readonly tape: Tape | undefined
  /** What readers get once they have read all of the tape. */
  readonly failure: { readonly reason: unknown } | undefined
  /** Whether the producer is lost and no other one is known yet. */
  readonly isLost: boolean
  readonly changes: Pulse
  whyLost(): Error
  leave(reader: Reader): void
}

type Result = IteratorResult<unknown, undefined>

const DONE: Result = { done: true, value: undefined }

/** Reads one stream from its first chunk to its end, at its own pace. */
export class Reader implements AsyncIterableIterator<unknown, undefined> {
  readonly caller: Caller
  readonly #open: (reader: Reader) => Place
  /** Absent before the first `next`, and once nothing more is read. Replaced if the stream moves to another session here. */
  place: Place | undefined
  #isOver = false
  /** Set when the caller's signal aborts. */
  #aborted: { readonly reason: unknown } | undefined
  /** The number of the next chunk, and the run of those before it. */
  #next = 0
  #run: string | undefined
  /** Chunks that were fetched because the tape no longer had them, and the number of the first. */
  #fetched: readonly Chunk[] = []
  #fetchedFrom = 0
  /** The last call of `next` that has not been answered. */
  #asked: Promise<unknown> | undefined
  #wake: (() => void) | undefined
  #stopWatching: (() => void) | undefined

  /** `open` finds where the stream is, and lets the reader join there. */
  constructor(caller: Caller, open: (reader: Reader) => Place) {
    this.caller = caller
    this.#open = open
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Whether it has had a chunk: then it can only go on with the same run. */
  get hasBegun(): boolean {
    return this.#next > 0
  }

  next(): Promise<Result> {
    const answer = this.#asked === undefined ? this.#answer() : this.#asked.then(() => this.#answer())
    const settled = answer.then(ignore, ignore).then(() => {
      if (this.#asked === settled) this.#asked = undefined
    })
    this.#asked = settled
    return answer
  }

  return(): Promise<Result> {
    this.#leave()
    return Promise.resolve(DONE)
  }

  async #answer(): Promise<Result> {
    try {
      for (;;) {
        if (this.#isOver) return DONE
        if (this.#aborted !== undefined) throw this.#aborted.reason
        const place = (this.place ??= this.#begin())
        const { tape } = place
        const chunk = tape === undefined ? undefined : await this.#take(tape)
        if (chunk !== undefined) return { done: false, value: chunk.read() }
        if (tape?.end !== undefined) {
          if (tape.end.failure !== undefined) throw tape.end.failure.reason
          this.#leave()
          return DONE
        }
        if (place.failure !== undefined) throw place.failure.reason
        if (place.isLost && this.hasBegun && this.caller.settings.onProducerLost === 'restart') throw place.whyLost()
        if (this.place === place) await this.#change(place)
      }
    } catch (error) {
      const wasOver = this.#isOver
      this.#leave()
      if (wasOver) return DONE
      throw error
    }
  }

  /** The stream goes on in another place. */
  moveTo(place: Place): void {
    this.place = place
    this.#wake?.()
  }

  #begin(): Place {
    const { signal } = this.caller
    throwIfAborted(signal)
    if (signal !== undefined) this.#stopWatching = onAbort(signal, () => this.#abort(signal))
    return this.#open(this)
  }

  /** The next chunk of the tape, if it is there. */
  async #take(tape: Tape): Promise<Pick<Chunk, 'read'> | undefined> {
    if (this.#run !== tape.run) {
      if (this.hasBegun) throw new ProducerLostError(this.caller.key, 'another one has begun anew')
      this.#run = tape.run
    }
    if (this.#next >= tape.length) return undefined
    let chunk = tape.at(this.#next) ?? this.#fetched[this.#next - this.#fetchedFrom]
    if (chunk === undefined) {
      this.#fetched = await tape.fetch(this.#next)
      this.#fetchedFrom = this.#next
      chunk = this.#fetched[0]
    }
    this.#next++
    return chunk
  }

  /** Resolves at the next change, or when the reader is over. */
  #change(place: Place): Promise<void> {
    return new Promise((resolve) => {
      const stop = place.changes.await(resolve)
      this.#wake = () => {
        stop()
        resolve()
      }
    })
  }

  /** Leaves at once. The next answer gives the reason. */
  #abort(signal: AbortSignal): void {
    this.#aborted = { reason: reasonOf(signal) }
    this.#leavePlace()
    this.#wake?.()
  }

  #leavePlace(): void {
    this.place?.leave(this)
    this.place = undefined
    this.#fetched = []
  }

  #leave(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stopWatching?.()
    this.#leavePlace()
    this.#wake?.()
  }
}

function ignore(): void {}
