import { onAbort, reasonOf } from '../../abort.ts'
import type { Timer } from '../../clock.ts'
import { LockLostError, ProducerLostError, StreamLimitError, wrongType } from '../../errors.ts'
import { Appender } from '../../stream/appender.ts'
import { writeChunk } from '../../stream/frames.ts'
import type { StreamLog } from '../../stream/stream-log.ts'
import type { WholeTape } from '../../stream/tape.ts'
import type { CacheCore } from '../core.ts'
import type { ClaimedRefill } from '../read/claims.ts'
import { tagsOf } from '../local/lifetime.ts'
import { describeFailure } from '../refill/describe-failure.ts'
import { makeChunk } from './chunks.ts'
import type { Caller, ProducerContext } from './options.ts'
import { WatchedTags } from './watched-tags.ts'

export interface ProductionParts {
  readonly core: CacheCore
  /** The caller whose producer runs. */
  readonly caller: Caller
  readonly refill: ClaimedRefill<readonly unknown[]>
  /** Begins with the chunks that are published already. */
  readonly tape: WholeTape
  /** The number of the last change that was known when the content of the tape was requested. */
  readonly since: number
  /** Where it is published. Absent if no other process takes part. */
  readonly log: StreamLog | undefined
  /** Whether anybody reads here. */
  isRead(): boolean
  /** Something has come onto the tape, or it has ended. */
  onChange(): void
  /** The producer failed before its first chunk: readers get these instead of an error. */
  onStale(chunks: readonly unknown[]): void
  report(error: unknown): void
}

/** Runs a stream's producer for all processes. Puts its chunks onto a tape, into Redis, and at the end into the cache. */
export class Production {
  readonly #parts: ProductionParts
  readonly #controller = new AbortController()
  readonly #appender: Appender | undefined
  readonly #stops: (() => void)[] = []
  #bytes: number
  /** `leaving`: being asked whether anybody reads elsewhere. Nobody may join meanwhile. */
  #phase: 'running' | 'leaving' | 'over' = 'running'
  #isDetached = false
  readonly #tags: WatchedTags
  /** How many questions whether a tag was changed are under way. */
  #questions = 0
  /** Runs from when the last reader has left until the producer is stopped. */
  #linger: Timer | undefined
  /** Ends the wait for the next chunk. */
  #interrupt: (() => void) | undefined

  constructor(parts: ProductionParts) {
    this.#parts = parts
    const { core, caller, tape, log, refill, report, since } = parts
    const names = (): readonly string[] => tagsOf(caller.settings.entry, refill.context)
    this.#tags = new WatchedTags(core, names, since, refill.context.lease)
    this.#bytes = tape.chunks.reduce((bytes, { frame }) => bytes + frame.length - 1, 0)
    if (log !== undefined) {
      const onUnread = (): void => this.#noteUnread()
      const onLost = (): void => this.#noteLost()
      this.#appender = new Appender(log, tape, core.clock, caller.settings, { onUnread, onLost, report })
      this.#stops.push(log.listenToReaders(onUnread))
    }
    this.#watch(core.closing)
    this.#watch(refill.context.signal)
  }

  /** Whether a new reader may join: it has not failed, is not about to stop, and certainly no tag of it has changed. */
  get isJoinable(): boolean {
    if (this.#phase !== 'running' || this.#isDetached || this.#questions > 0) return false
    return this.#parts.tape.end?.failure === undefined && !this.#controller.signal.aborted
  }

  /** After changes that were heard of or missed: detaches the run if one concerned a tag of it. Never rejects. */
  async detachIfChanged(): Promise<void> {
    if (this.#isDetached) return
    this.#questions++
    if (await this.#tags.areChanged()) this.detach()
    this.#questions--
  }

  /** A change has overtaken it: current readers go on, and later ones get another producer. */
  detach(): void {
    if (this.#isDetached) return
    this.#isDetached = true
    const { refill, report } = this.#parts
    const giveBack = (): void => void refill.context.lease?.abandon()
    void (this.#appender?.detach() ?? Promise.resolve()).catch(report).then(giveBack)
  }

  /** Resolves when everything is done. Never rejects. */
  async run(): Promise<void> {
    const { caller } = this.#parts
    const { maxDuration } = caller.settings
    const tooLong = (): void => this.#abort(new StreamLimitError(caller.key, 'maxDuration', maxDuration))
    const timer = this.#parts.core.clock.setTimeout(tooLong, maxDuration)
    try {
      await this.#produce()
      this.#phase = 'over'
      await this.#finish()
    } catch (reason) {
      const isLeft = this.#phase === 'leaving'
      this.#phase = 'over'
      await this.#fail(reason, isLeft)
    } finally {
      timer.cancel()
      this.#linger?.cancel()
      for (const stop of this.#stops) stop()
    }
  }

  /** A reader here has joined or left. */
  readersChanged(): void {
    if (!this.#parts.isRead()) return this.#noteUnread()
    this.#linger?.cancel()
    this.#linger = undefined
  }

  async #produce(): Promise<void> {
    const { caller } = this.#parts
    const iterator = iteratorOf(caller.producer(this.#context()))
    try {
      for (;;) {
        const { done, value } = await this.#orAbort(iterator.next())
        if (done === true) return
        this.#publish(value)
      }
    } catch (reason) {
      letGo(iterator)
      throw reason
    }
  }

  #context(): ProducerContext {
    const { context } = this.#parts.refill
    return {
      key: context.key,
      signal: this.#controller.signal,
      resumeFrom: this.#parts.tape.length,
      cacheFor: context.cacheFor,
      doNotStore: context.doNotStore,
    }
  }

  /** What comes next. Rejects when the producer must stop, whatever the producer does. */
  #orAbort<T>(next: Promise<T>): Promise<T> {
    const { signal } = this.#controller
    return new Promise((resolve, reject) => {
      this.#interrupt = () => reject(reasonOf(signal) as Error)
      if (signal.aborted) this.#interrupt()
      next.then(resolve, reject)
    })
  }

  #publish(value: unknown): void {
    const { tape, caller, onChange } = this.#parts
    const { maxChunkBytes, maxBytes, maxChunks } = caller.settings
    const frame = writeChunk(value)
    const bytes = frame.length - 1
    this.#bytes += bytes
    this.#bound('maxChunkBytes', maxChunkBytes, bytes)
    this.#bound('maxBytes', maxBytes, this.#bytes)
    this.#bound('maxChunks', maxChunks, tape.length + 1)
    tape.chunks.push(makeChunk(frame))
    this.#appender?.added(bytes)
    onChange()
  }

  #bound(option: string, bound: number, value: number): void {
    if (value > bound) throw new StreamLimitError(this.#parts.caller.key, option, bound)
  }

  /** The stream is whole: tells the readers, and stores it. */
  async #finish(): Promise<void> {
    const { tape, refill, onChange } = this.#parts
    tape.end = {}
    onChange()
    await this.#appender?.end({})
    await this.detachIfChanged() // for tags that its producer has named
    if (tape.start > 0 || this.#isDetached) return refill.abandon() // the beginning is missing, or it is too old
    await refill.settle(tape.chunks.map((chunk) => chunk.read())).catch(() => {}) // its readers have it already
  }

  async #fail(reason: unknown, isLeft: boolean): Promise<void> {
    const { tape, refill, core, onChange, onStale } = this.#parts
    if (isLeft || core.closing.aborted) {
      this.#appender?.release() // also if Redis could not be asked whether anybody reads
      tape.end = { failure: { reason } }
      onChange()
      return refill.abandon()
    }
    if (tape.length === 0 && refill.context.stale !== undefined) {
      this.#appender?.release() // readers elsewhere learn from their claims, and may get the stale value, too
      await refill.fail(reason)
      const stale = refill.failure?.instead?.()
      if (stale !== undefined) return onStale(stale)
      tape.end = { failure: { reason } }
      return onChange()
    }
    const limit = reason instanceof StreamLimitError ? ([reason.option, reason.bound] as const) : undefined
    const ended = this.#appender?.end({ failure: { ...describeFailure(reason), limit } })
    tape.end = { failure: { reason } }
    onChange()
    await ended
    await refill.fail(reason)
  }

  #watch(signal: AbortSignal): void {
    const abort = (): void => {
      const reason = reasonOf(signal)
      // If the lease was lost, the log says what follows: readers may go on.
      if (!(reason instanceof LockLostError)) this.#abort(reason)
    }
    if (signal.aborted) abort()
    else this.#stops.push(onAbort(signal, abort))
  }

  #abort(reason: unknown): void {
    this.#controller.abort(reason)
    this.#interrupt?.()
  }

  /** Nobody reads here, or nobody elsewhere. If both hold, the producer ends after `linger`. */
  #noteUnread(): void {
    const { core, caller, isRead } = this.#parts
    const { keep, linger } = caller.settings
    if (keep || isRead() || this.#phase !== 'running' || this.#linger !== undefined) return
    const leave = (): void => void this.#leave()
    this.#linger = core.clock.setTimeout(leave, linger)
  }

  async #leave(): Promise<void> {
    this.#linger = undefined
    if (this.#phase !== 'running' || this.#parts.isRead()) return
    this.#phase = 'leaving'
    const isLeft = this.#appender === undefined || (await this.#appender.endIfUnread().catch(() => true))
    if (!isLeft && this.#phase === 'leaving') this.#phase = 'running'
    else if (isLeft) this.#abort(new DOMException('nobody reads the stream any more', 'AbortError'))
  }

  /** Nothing can be published any more. The readers here go on; others get a producer of their own. */
  #noteLost(): void {
    const { caller, isRead, refill } = this.#parts
    void refill.context.lease?.abandon()
    if (isRead() || this.#phase !== 'running') return
    this.#abort(new ProducerLostError(caller.key, 'its lease is another’s'))
  }
}

function iteratorOf(made: unknown): AsyncIterator<unknown> {
  const iterate = (made as AsyncIterable<unknown> | null | undefined)?.[Symbol.asyncIterator]
  if (typeof iterate !== 'function') throw wrongType('what producer returns', 'an async iterable', made)
  return iterate.call(made)
}

/** Lets the producer clean up. Nobody waits for that. */
function letGo(iterator: AsyncIterator<unknown>): void {
  void (async () => iterator.return?.())().catch(() => {})
}
