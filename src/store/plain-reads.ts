import { BreakerOpenError, ClosedError } from '../errors.ts'
import type { Clock } from '../clock.ts'
import type { Connection } from '../redis/connection.ts'
import type { Guard } from '../redis/breaker.ts'
import { decodeText, defaultCodec, isText, type Codec } from './codec.ts'
import type { ReadEntry } from './entry.ts'
import { freshUntilOfUntagged, HEADER_LENGTH, readHeader, type Header } from './envelope.ts'
import { ReadBatches } from './read-batch.ts'
import type { RedisClock } from './redis-clock.ts'
import { toLocalEntry } from './to-local-entry.ts'

/** A request for an entry. The results of its methods are the answer. */
export interface PlainRead<V> {
  readonly valueKey: string
  readonly codec: Codec<V>
  /** Whether the value is kept, so that its times are needed. */
  readonly wantsEntry: boolean
  onEntry(entry: ReadEntry<V>): V | Promise<V>
  /** Called if no entry is wanted. */
  onValue(value: V): V
  /** The entry is not fresh, or cannot be used without another question. */
  onNothing(): Promise<V>
}

/**
 * For a hit, a plain read is cheaper than a claim. For a miss, it costs a second round trip. So it is worth trying only if
 * this share of reads hit. The share is a moving average over about this many reads.
 */
const HITS_ARE_THE_RULE = 0.9
const OUTCOMES_REMEMBERED = 32

/** Reads without claiming. Those of one tick travel together. */
export class PlainReads {
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #redisClock: RedisClock
  readonly #report: (error: unknown) => void
  readonly #texts: ReadBatches<PlainRead<unknown>, string>
  readonly #bytes: ReadBatches<PlainRead<unknown>, Buffer>
  /** Share of hits among the last reads. The latest count most. */
  #hitShare = 0
  /** Whether values have been text so far. Other bytes would be damaged if they were read as text. */
  #isText = true

  constructor(
    connection: Connection,
    clock: Clock,
    redisClock: RedisClock,
    report: (error: unknown) => void,
    guard: Guard,
  ) {
    this.#connection = connection
    this.#clock = clock
    this.#redisClock = redisClock
    this.#report = report
    const onFailure = (read: PlainRead<unknown>, error: unknown): unknown => {
      if (!(error instanceof BreakerOpenError || error instanceof ClosedError)) report(error)
      return read.onNothing()
    }
    this.#texts = new ReadBatches(connection, 'text', guard, {
      onFound: (read, text) => this.#onText(read, text),
      onFailure,
    })
    this.#bytes = new ReadBatches(connection, 'bytes', guard, {
      onFound: (read, bytes) => this.#onBytes(read, bytes),
      onFailure,
    })
  }

  /**
   * Whether reads have found fresh values so often lately that they are worth trying before a claim. Never if replicas would
   * answer them, because a replica may still have a replaced value.
   */
  get areWorthwhile(): boolean {
    return (
      !this.#connection.readsMayLag &&
      this.#hitShare > HITS_ARE_THE_RULE &&
      this.#redisClock.isKnownAt(this.#clock.coarseNow())
    )
  }

  noteOutcome(isHit: boolean): void {
    this.#hitShare += ((isHit ? 1 : 0) - this.#hitShare) / OUTCOMES_REMEMBERED
  }

  /** Resolves with the answer that `read` makes from what is found, in the async context of the caller. */
  answer<V>(read: PlainRead<V>): Promise<V> {
    const batches = this.#isText && read.codec === (defaultCodec as Codec<V>) ? this.#texts : this.#bytes
    return batches.add(read as PlainRead<unknown>) as Promise<V>
  }

  /** All waiting reads find nothing. */
  close(error: ClosedError): void {
    this.#texts.failAll(error)
    this.#bytes.failAll(error)
  }

  #onText(read: PlainRead<unknown>, text: string | null): unknown {
    if (text === null || !this.#isFreshValue(text)) return this.#miss(read)
    if (!isText(text.charAt(HEADER_LENGTH))) {
      this.#isText = false // from now on read bytes; this one is left to a claim
      return this.#miss(read)
    }
    let value: unknown
    try {
      value = decodeText(text, HEADER_LENGTH)
    } catch (error) {
      this.#report(error)
      return this.#miss(read)
    }
    this.noteOutcome(true)
    if (!read.wantsEntry) return read.onValue(value)
    return this.#entry(read, value, text, text.length - HEADER_LENGTH, () => decodeText(text, HEADER_LENGTH))
  }

  #onBytes(read: PlainRead<unknown>, bytes: Buffer | null): unknown {
    const header = bytes === null ? '' : bytes.toString('latin1', 0, HEADER_LENGTH)
    if (bytes === null || !this.#isFreshValue(header)) return this.#miss(read)
    let value: unknown
    try {
      value = read.codec.decode(bytes.subarray(HEADER_LENGTH))
    } catch (error) {
      this.#report(error)
      return this.#miss(read)
    }
    this.noteOutcome(true)
    if (!read.wantsEntry) return read.onValue(value)
    const payload = bytes.subarray(HEADER_LENGTH)
    return this.#entry(read, value, header, payload.length, () => read.codec.decode(new Uint8Array(payload)))
  }

  #isFreshValue(header: string): boolean {
    return this.#clock.coarseNow() < this.#redisClock.toLocal(freshUntilOfUntagged(header))
  }

  #entry(read: PlainRead<unknown>, value: unknown, header: string, bytes: number, again: () => unknown): unknown {
    return read.onEntry(toLocalEntry({ value, bytes, again }, readHeader(header) as Header, NO_TAGS, this.#redisClock))
  }

  #miss(read: PlainRead<unknown>): Promise<unknown> {
    this.noteOutcome(false)
    return read.onNothing()
  }
}

const NO_TAGS: readonly string[] = []
