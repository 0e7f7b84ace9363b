import type { Clock, Timer } from '../clock.ts'
import type { Random } from '../random.ts'
import type { MakeChunk } from './chunk.ts'
import { type End, type Head, type Message, readEnd, readMessage } from './frames.ts'
import { goesOn, nameOf } from './resumed.ts'
import { type Piece, READ_AT_LEAST_EVERY, type StreamLog } from './stream-log.ts'
import { Window } from './window.ts'

/** A reading process looks this many ms after the producer's life should have ended, plus a random part of JITTER. */
const AFTER_LIFE = 5
const JITTER = 40
/** ms after which a failed read is tried again. */
const RETRY_AFTER = 250
/** ms between reads while no messages can come, because the inbox is not open. */
const POLL = 100

/**
 * What is known of a run. `unknown`: not begun. `live`: produced. `ended`: over. `lost`: it has no producer, or was out of
 * reach for as long as it takes to notice a lost one.
 */
export type RelayState = 'unknown' | 'live' | 'ended' | 'lost'

export interface RelayParts {
  readonly clock: Clock
  readonly random: Random
  readonly makeChunk: MakeChunk
  /** Whether anybody reads here. */
  isRead(): boolean
  /** Whether a change overtook the run before anything of it was read here. Then it counts as lost. Default: never. */
  isOutdated?(head: Head, isPresent: boolean): Promise<boolean>
  /** What readers get if the run failed. */
  failureOf(end: End): { readonly reason: unknown } | undefined
  /** The error for chunks that can no longer be read. */
  whyLost(why: string): Error
  /** Something has come, or the state has changed. */
  onChange(): void
  report(error: unknown): void
}

/** Follows a run that another process produces: by its messages, and by reading the log when one is missing. */
export class Relay {
  readonly log: StreamLog
  readonly #parts: RelayParts
  readonly #former: Window | undefined
  /** Absent until the run has begun. */
  tape: Window | undefined
  state: RelayState = 'unknown'
  /** Whether the log had more than the tape when it was last read. */
  isBehind = false
  /** Whether the run was the entry's current one when it was last read. */
  isPresent = true
  #isStopped = false
  /** The read under way, and whether another must follow. */
  #reading: Promise<void> | undefined
  #isReadAgain = false
  #readAt = -Infinity
  /** Local time after which the producer counts as lost, unless it gives a sign of life. */
  #lifeEndsAt = Infinity
  /** When reads began to fail, if the last one failed. */
  #failingSince: number | undefined
  #timer: Timer | undefined

  /** `former`: what this process has of a run that this one may continue. */
  constructor(log: StreamLog, parts: RelayParts, former?: Window) {
    this.log = log
    this.#parts = parts
    this.#former = former
    void this.#read()
  }

  /** Reads how the run stands now. If it is missing or cannot be reached, it becomes `lost`. */
  async check(): Promise<void> {
    await this.#reading
    await this.#read()
    if (this.state === 'unknown' || this.#failingSince !== undefined) this.#become('lost')
  }

  /** Nobody reads here any more. */
  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#timer?.cancel()
    if (this.state === 'ended' || this.state === 'lost') this.log.stopListening()
    else this.log.leave().catch(() => {}) // else its registration runs out
  }

  readonly #hearing = {
    onMessage: (payload: Buffer): void => this.#hear(readMessage(payload)),
    onReset: (): void => void this.#read(),
  }

  #hear(message: Message | undefined): void {
    if (this.#isStopped || this.state === 'ended' || this.state === 'lost') return
    const { tape } = this
    if (tape === undefined || message === undefined || message.index > tape.length) return void this.#read()
    this.#lifeEndsAt = this.#parts.clock.now() + this.log.lockTtl
    this.#take(tape, message.index, message.frames)
    this.#parts.onChange()
  }

  #take(tape: Window, index: number, frames: readonly Buffer[]): void {
    for (const frame of frames.slice(Math.max(tape.length - index, 0))) {
      const end = readEnd(frame)
      if (end === undefined) tape.push(frame)
      else this.#end(tape, end)
    }
  }

  #end(tape: Window, end: End): void {
    tape.end = { failure: this.#parts.failureOf(end) }
    this.state = 'ended'
  }

  /** Reads what is new. If called again meanwhile, reads once more. */
  #read(): Promise<void> {
    this.#isReadAgain = true
    this.#reading ??= this.#readOn().finally(() => {
      this.#reading = undefined
      this.#schedule()
    })
    return this.#reading
  }

  async #readOn(): Promise<void> {
    while (this.#isReadAgain && !this.#isStopped && this.state !== 'ended' && this.state !== 'lost') {
      this.#isReadAgain = false
      const from = this.tape?.length ?? this.#former?.length ?? 0
      this.#readAt = this.#parts.clock.now()
      try {
        const piece = await this.log.read(from, this.#hearing)
        this.#failingSince = undefined
        if (await this.#isOutdated(piece)) this.#become('lost')
        else this.#understand(piece, from)
      } catch (error) {
        this.#noteFailure(error)
      }
      this.#parts.onChange()
    }
  }

  async #isOutdated(piece: Piece): Promise<boolean> {
    const { head, life, isPresent } = piece
    if (head === undefined || this.tape !== undefined) return false
    const isOver = life === Infinity // such a run is present no more, whatever has become of the entry
    return (await this.#parts.isOutdated?.(head, isPresent || isOver)) ?? false
  }

  #understand({ head, life, length, frames, isPresent }: Piece, from: number): void {
    this.isPresent = isPresent
    if (head === undefined) {
      if (this.tape !== undefined) this.#become('lost')
      return
    }
    if (life < 0) return this.#become('lost') // only a producer that continues it can use what it published
    this.#lifeEndsAt = this.#parts.clock.now() + life
    if (this.tape === undefined) {
      this.tape = this.#tapeOf(head)
      this.tape.resumptions = head.resumptions
      this.state = 'live'
      if (this.tape.length !== from) return void (this.#isReadAgain = true) // it continues nothing that this process has
    }
    this.#take(this.tape, from, frames)
    this.isBehind = from + frames.length < length
    if (this.isBehind) this.#isReadAgain = true
  }

  #tapeOf(head: Head): Window {
    const fetch = (index: number): Promise<readonly Buffer[]> => this.#fetch(index)
    if (this.#former === undefined || !goesOn(this.#former, head)) {
      return new Window(nameOf(head, this.#former), this.#parts.makeChunk, fetch)
    }
    this.#former.fetchBy(fetch)
    return this.#former
  }

  /** Chunks that the window no longer has. */
  async #fetch(index: number): Promise<readonly Buffer[]> {
    const frames = await this.#readInTime(index)
    const chunks = frames.filter((frame) => readEnd(frame) === undefined)
    if (chunks.length === 0) throw this.#parts.whyLost('what it has published is gone')
    return chunks
  }

  /** Tries again while Redis does not answer, for as long as a lease lasts. */
  async #readInTime(index: number): Promise<readonly Buffer[]> {
    const { clock, report, whyLost } = this.#parts
    const until = clock.now() + this.log.lockTtl
    for (;;) {
      try {
        return (await this.log.read(index, this.#hearing)).frames
      } catch (error) {
        report(error)
        if (this.#isStopped || clock.now() > until) throw whyLost('Redis does not answer')
        await new Promise<void>((resolve) => clock.setTimeout(resolve, RETRY_AFTER))
      }
    }
  }

  #noteFailure(error: unknown): void {
    const now = this.#parts.clock.now()
    this.#failingSince ??= now
    this.#parts.report(error)
    if (now - this.#failingSince > this.log.lockTtl) this.#become('lost')
  }

  #become(state: 'lost'): void {
    if (this.state === 'ended') return
    this.state = state
    this.#parts.onChange()
  }

  /** Schedules the next read: in time to keep the registration, and when a sign of life is overdue. */
  #schedule(): void {
    this.#timer?.cancel()
    if (this.#isStopped || this.state === 'lost') return
    const { clock, random } = this.#parts
    const now = clock.now()
    const due = this.#failingSince === undefined ? this.#dueAt + JITTER * random.uniform() : now + RETRY_AFTER
    this.#timer = clock.setTimeout(() => this.#wake(), Math.max(due - now, 1), { keepAlive: false })
  }

  get #dueAt(): number {
    const nextRead = this.#readAt + (this.log.isTold ? READ_AT_LEAST_EVERY : POLL)
    return Math.min(nextRead, this.#lifeEndsAt + AFTER_LIFE)
  }

  #wake(): void {
    if (this.state === 'ended') return this.#keepForReaders()
    // Messages may have come meanwhile, so it may not be due yet.
    if (this.#failingSince === undefined && this.#parts.clock.now() < this.#dueAt) return this.#schedule()
    void this.#read()
  }

  /** Keeps the log of a finished run as long as it is read here. */
  #keepForReaders(): void {
    if (!this.#parts.isRead()) return this.stop()
    this.#readAt = this.#parts.clock.now()
    this.log.read(0, this.#hearing, 0).catch(() => {})
    this.#schedule()
  }
}
