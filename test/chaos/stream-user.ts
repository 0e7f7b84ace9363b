import type { Cache } from '../../src/cache/cache.ts'
import type { ProducerContext, StreamOptions } from '../../src/cache/stream/options.ts'
import type { Call, Chunk, Load, Piece, Reading } from './history.ts'
import { LONGEST_STEP, STREAM_LENGTHS } from './plan.ts'

export interface StreamUserParts {
  readonly cache: Cache
  readonly name: string
  now(): number
  pause(ms: number): Promise<void>
  tagOf(key: string): string
  between(least: number, most: number): number
  /** What the origin has now. */
  versionOf(key: string): Promise<number>
  /** When the lease was asked for under which the stream is produced now. */
  leaseAskedAt(key: string): number | undefined
  /** Makes the call; says how it is answered. */
  noteHow<T>(begin: () => T): { answer: T; how: Call['how'] }
  /** Whether memory may serve what is stale. */
  readonly mayBeStale: boolean
  seeReading(reading: Reading): void
  seeLoad(load: Load): void
}

class ProducerError extends Error {
  override readonly name = 'LoaderError'
}

export const streamKeys: readonly string[] = STREAM_LENGTHS.map((_, i) => `stream ${i}`)
export const lengthOf = (key: string): number => STREAM_LENGTHS[streamKeys.indexOf(key)] as number

/** Reads streams in a process of a chaos run, and produces them when it is its turn. */
export class StreamUser {
  readonly #parts: StreamUserParts
  readonly #pending = new Set<Reading>()
  #runs = 0

  constructor(parts: StreamUserParts) {
    this.#parts = parts
  }

  /** Readings that have not ended. */
  get pending(): readonly Reading[] {
    return [...this.#pending]
  }

  /** Reads a stream to its end, or leaves before. */
  async read(): Promise<void> {
    const { between, now, pause, noteHow, cache, mayBeStale, seeReading, name, tagOf } = this.#parts
    const index = Math.floor(between(0, streamKeys.length))
    const key = streamKeys[index] as string
    const resumes = index % 2 === 1
    const most = between(0, 1) < 0.2 ? Math.floor(between(0, lengthOf(key))) : Infinity
    const isSlow = between(0, 1) < 0.1
    const options: StreamOptions = { onProducerLost: resumes ? 'resume' : 'restart', tags: [tagOf(key)] }
    const produce = (context: ProducerContext): AsyncGenerator<Chunk> => this.#produce(key, context)
    const iterator = cache.stream(key, produce, options)[Symbol.asyncIterator]()

    const from = now()
    // Whoever begins while a producer of this process ends may still be told of that.
    const isUnderWay = cache.flights().some((flight) => flight.key === key)
    const first = noteHow(() => iterator.next())
    const pieces: Piece[] = []
    const begun = isUnderWay && first.how === 'own' ? 'joined' : first.how
    const how = mayBeStale && begun === 'own' ? 'memory' : begun
    const reading: Reading = { process: name, key, from, to: null, how, resumes, pieces }
    this.#pending.add(reading)
    const end = (ending: Pick<Reading, 'end' | 'error'>): void => {
      this.#pending.delete(reading)
      seeReading({ ...reading, to: now(), ...ending })
    }
    try {
      for (let next = await first.answer; next.done !== true; next = await iterator.next()) {
        pieces.push({ ...next.value, at: now() })
        if (pieces.length >= most) {
          end({ end: 'left' })
          await iterator.return?.()
          return
        }
        if (isSlow) await pause(between(0, 2 * LONGEST_STEP))
      }
      end({ end: 'whole' })
    } catch (error) {
      end({ error: String(error) })
    }
  }

  async *#produce(key: string, { resumeFrom, signal }: ProducerContext): AsyncGenerator<Chunk> {
    const { between, leaseAskedAt, name, now, pause, seeLoad, versionOf } = this.#parts
    const from = now()
    const run = `${name} ${++this.#runs}`
    const leasedAt = leaseAskedAt(key)
    let failed = false
    let givenUpAt = Infinity
    signal.addEventListener('abort', () => (givenUpAt = now()))
    try {
      const version = await versionOf(key)
      for (let number = resumeFrom; number < lengthOf(key); number++) {
        await pause(between(0, LONGEST_STEP))
        if (between(0, 1) < 0.002) {
          failed = true
          throw new ProducerError('as producers do')
        }
        yield { run, since: resumeFrom, number, of: lengthOf(key), version }
      }
    } finally {
      const to = Math.min(now(), givenUpAt)
      // Without a lease, as Redis did not answer, it may run beside others.
      seeLoad({ process: name, key, claimedAt: leasedAt ?? from, from, to, failed, forced: leasedAt === undefined })
    }
  }
}
