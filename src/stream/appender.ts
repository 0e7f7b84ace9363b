import type { Clock, Timer } from '../clock.ts'
import type { Over, Resumption, StreamLog } from './stream-log.ts'
import { type End, writeEnd } from './frames.ts'

/** A producer gives a sign of life after this share of its `lockTtl`. */
const SIGN_OF_LIFE_AFTER = 1 / 3
/** ms after which a failed command is sent again. */
const RETRY_AFTER = 100
/** Limits of one command. The rest follows at once. */
const MOST_FRAMES = 1000
const ENOUGH_BYTES = 256 * 1024

export interface Publishing {
  /** ms from one command to the next. */
  readonly gatherFor: number
  /** Once this many bytes wait, they leave at once. */
  readonly gatherBytes: number
  /** Whether another producer may continue when this one is lost. */
  readonly onProducerLost: 'restart' | 'resume'
}

/** What to append. It must have all chunks that are not in Redis yet. */
export interface AppendedTape {
  /** The number of the first chunk that has not come yet. */
  readonly length: number
  at(index: number): { readonly frame: Buffer } | undefined
}

export interface AppenderHooks {
  /** This many chunks are in Redis now. */
  onAppended?(count: number): void
  /** No other process had a reader when the last command ran. */
  onUnread(): void
  /** Nothing can be appended any more: another process has the lease, or Redis has not answered for too long. */
  onLost(): void
  /** Redis failed; nothing is lost yet. */
  report(error: unknown): void
}

/**
 * Puts the chunks of a tape into Redis as they come: the first at once, and later ones gathered, with at most one command
 * in `gatherFor` ms. Only one command is under way at a time, so chunks keep their order. A failed command is sent again.
 */
export class Appender {
  readonly #log: StreamLog
  readonly #tape: AppendedTape
  readonly #clock: Clock
  readonly #publishing: Publishing
  readonly #hooks: AppenderHooks
  /** How many chunks are in Redis. */
  #appended: number
  /** Bytes of chunks that are not in Redis yet. */
  #waitingBytes = 0
  #state: 'open' | 'ending' | 'over' | 'lost' = 'open'
  /** Set with `ending`. */
  #lastFrame: Buffer | undefined
  #resolveEnd: (() => void) | undefined
  #isSending = false
  #sentAt = -Infinity
  /** When commands began to fail, if the last one failed. */
  #failingSince: number | undefined
  #timer: Timer | undefined
  #timerAt = Infinity

  /** All chunks that `tape` has by now are in Redis already. */
  constructor(log: StreamLog, tape: AppendedTape, clock: Clock, publishing: Publishing, hooks: AppenderHooks) {
    this.#log = log
    this.#tape = tape
    this.#clock = clock
    this.#publishing = publishing
    this.#hooks = hooks
    this.#appended = tape.length
    this.#wakeAt(clock.now() + log.lockTtl * SIGN_OF_LIFE_AFTER)
  }

  get isLost(): boolean {
    return this.#state === 'lost'
  }

  /** The tape has got a chunk of that many bytes. */
  added(bytes: number): void {
    this.#waitingBytes += bytes
    this.#schedule()
  }

  /** Resolves when all of the tape is in Redis and the run has ended there, or when that is impossible. */
  end(end: End): Promise<void> {
    if (this.#state !== 'open') return Promise.resolve()
    this.#state = 'ending'
    this.#lastFrame = writeEnd(end)
    const ended = new Promise<void>((resolve) => (this.#resolveEnd = resolve))
    this.#schedule()
    return ended
  }

  /** Whether no other process reads. Then the run is over, and may be resumed. Rejects with Redis's error. */
  async endIfUnread(): Promise<boolean> {
    if (this.#state !== 'open') return true
    const reading = await this.#log.append(this.#appended, [], 'if-unread', this.#resumption)
    if (reading !== undefined && reading > 0) return false
    this.#stop(reading === undefined ? 'lost' : 'over')
    return true
  }

  /** From now on it needs no lease, so the lease may end. Rejects with Redis's error. */
  async detach(): Promise<void> {
    if (this.#state === 'open' || this.#state === 'ending') await this.#log.append(this.#appended, [], 'detach')
  }

  /** Gives the run up at once. Another producer may resume it. */
  release(): void {
    if (this.#state !== 'open') return
    this.#stop('over')
    this.#log.append(this.#appended, [], 'release', this.#resumption).catch(() => {}) // else its life runs out
  }

  get #resumption(): Resumption {
    return this.#publishing.onProducerLost === 'resume' ? 'resumable' : 'final'
  }

  #schedule(): void {
    if (this.#isSending || this.#state === 'over' || this.#state === 'lost') return
    const { gatherFor, gatherBytes } = this.#publishing
    const now = this.#clock.now()
    if (this.#failingSince !== undefined) return this.#wakeAt(this.#sentAt + RETRY_AFTER)
    const mayGo = this.#state === 'ending' || this.#waitingBytes >= gatherBytes || now >= this.#sentAt + gatherFor
    if (mayGo && this.#hasWork) void this.#send()
    else if (this.#hasWork) this.#wakeAt(this.#sentAt + gatherFor)
    else this.#wakeAt(this.#sentAt + this.#log.lockTtl * SIGN_OF_LIFE_AFTER)
  }

  get #hasWork(): boolean {
    return this.#state === 'ending' || this.#appended < this.#tape.length
  }

  #wakeAt(at: number): void {
    if (this.#timer !== undefined && this.#timerAt <= at) return
    this.#timer?.cancel()
    this.#timerAt = at
    const wake = (): void => {
      this.#timer = undefined
      if (!this.#isSending) void this.#send()
    }
    this.#timer = this.#clock.setTimeout(wake, Math.max(at - this.#clock.now(), 0), { keepAlive: false })
  }

  async #send(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    const { frames, chunks, over } = this.#next()
    this.#isSending = true
    this.#sentAt = this.#clock.now()
    try {
      const reading = await this.#log.append(this.#appended, frames, over)
      this.#isSending = false
      this.#failingSince = undefined
      if (reading === undefined) return this.#stop('lost')
      this.#appended += chunks
      this.#hooks.onAppended?.(this.#appended)
      if (over === 'end') return this.#stop('over')
      if (reading === 0) this.#hooks.onUnread()
    } catch (error) {
      this.#isSending = false
      this.#noteFailure(error)
    }
    this.#schedule()
  }

  /** Frames for one command: chunks, and the end after the last chunk of all. */
  #next(): { frames: Buffer[]; chunks: number; over: Over } {
    const frames: Buffer[] = []
    let bytes = 0
    for (let i = this.#appended; i < this.#tape.length && frames.length < MOST_FRAMES && bytes < ENOUGH_BYTES; i++) {
      const { frame } = this.#tape.at(i) as { frame: Buffer }
      frames.push(frame)
      bytes += frame.length
    }
    const chunks = frames.length
    this.#waitingBytes = Math.max(this.#waitingBytes - bytes, 0)
    const isLast = this.#state === 'ending' && this.#appended + chunks === this.#tape.length
    if (isLast) frames.push(this.#lastFrame as Buffer)
    return { frames, chunks, over: isLast ? 'end' : '' }
  }

  #noteFailure(error: unknown): void {
    if (this.#state === 'over' || this.#state === 'lost') return
    const now = this.#clock.now()
    this.#failingSince ??= now
    this.#hooks.report(error)
    // By then Redis also counts the producer as lost.
    if (now - this.#failingSince > this.#log.lockTtl * 2) this.#stop('lost')
  }

  #stop(state: 'over' | 'lost'): void {
    if (this.#state === 'over' || this.#state === 'lost') return
    this.#state = state
    this.#timer?.cancel()
    this.#resolveEnd?.()
    if (state === 'lost') this.#hooks.onLost()
  }
}
