import { onAbort, reasonOf } from '../../abort.ts'
import type { Clock } from '../../clock.ts'
import { ProducerLostError, RefillFailedError } from '../../errors.ts'
import type { Random } from '../../random.ts'
import type { Chunk } from '../../stream/chunk.ts'
import { Pulse } from '../../stream/pulse.ts'
import { Relay } from '../../stream/relay.ts'
import type { StreamLog } from '../../stream/stream-log.ts'
import { makeChunk } from './chunks.ts'

interface Surroundings {
  readonly key: string
  readonly clock: Clock
  readonly random: Random
  /** Aborts when the cache is closed. */
  readonly closing: AbortSignal
  report(error: unknown): void
}

/** Reads what the load of another process makes, piece by piece, if that process publishes it. */
export class PublishedLoad {
  readonly #key: string
  readonly #relay: Relay
  readonly #changes = new Pulse()
  readonly #unwatch: () => void
  #failure: { readonly reason: unknown } | undefined
  #isOver = false
  /** The number of the next piece. */
  #next = 0
  /** Pieces that were fetched because the window no longer had them, and the number of the first. */
  #fetched: readonly Chunk[] = []
  #fetchedFrom = 0

  constructor(log: StreamLog, { key, clock, random, closing, report }: Surroundings) {
    this.#key = key
    this.#unwatch = onAbort(closing, () => this.#fail(reasonOf(closing)))
    this.#relay = new Relay(log, {
      ...{ clock, random, makeChunk, report },
      isRead: () => !this.#isOver,
      isOutdated: async (_head, isPresent) => !isPresent,
      failureOf: ({ failure }) => failure && { reason: new RefillFailedError(key, failure) },
      whyLost: (why) => new ProducerLostError(key, why),
      onChange: () => this.#changes.beat(),
    })
  }

  /** Whether the next piece has come already. */
  get hasNext(): boolean {
    const { tape, isBehind } = this.#relay
    return tape !== undefined && (this.#next < tape.length || isBehind)
  }

  /** The next piece, once it has come. `undefined` after the last one or `stop`. Rejects if the rest will not come. */
  async next(): Promise<unknown> {
    while (!this.#isOver) {
      const { tape, state } = this.#relay
      if (tape !== undefined && this.#next < tape.length) return (await this.#take(tape)).read()
      if (this.#failure !== undefined) throw this.#failure.reason
      if (tape?.end !== undefined) {
        if (tape.end.failure !== undefined) throw tape.end.failure.reason
        return undefined
      }
      if (state === 'lost') throw new ProducerLostError(this.#key, 'its process is gone, or it does not reach Redis')
      await this.#changes.next()
    }
    return undefined
  }

  /** Nobody wants the rest. */
  stop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#unwatch()
    this.#relay.stop()
    this.#changes.beat()
  }

  async #take(tape: NonNullable<Relay['tape']>): Promise<Pick<Chunk, 'read'>> {
    let chunk = tape.at(this.#next) ?? this.#fetched[this.#next - this.#fetchedFrom]
    if (chunk === undefined) {
      this.#fetched = await tape.fetch(this.#next)
      this.#fetchedFrom = this.#next
      chunk = this.#fetched[0] as Chunk
    }
    this.#next++
    return chunk
  }

  #fail(reason: unknown): void {
    this.#failure = { reason }
    this.#changes.beat()
  }
}
