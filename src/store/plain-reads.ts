import { BreakerOpenError } from '../errors.ts'
import type { Clock } from '../clock.ts'
import type { Connection } from '../redis/connection.ts'
import type { Guard } from './claim-batch.ts'
import { decodeText, defaultCodec, isText, type Codec } from './codec.ts'
import type { Entry } from './entry.ts'
import { HEADER_LENGTH, readHeader, type Header } from './envelope.ts'
import { enter } from './enter.ts'
import { ReadBatch } from './read-batch.ts'
import type { RedisClock } from './redis-clock.ts'

/** Someone who asks for an entry. An object with a method, not a callback: a thousand are made at once. */
export interface PlainRead<V> {
  readonly valueKey: string
  readonly codec: Codec<V>
  /** The entry, or `undefined` where it is not fresh or cannot be used without a further question. */
  onEntry(entry: Entry<V> | undefined): void
}

/**
 * A plain read costs a hit less than a claim does, and a miss a second round trip: so it is worth trying where hits are
 * the rule. The share of hits is a moving average over about so many reads.
 */
const HITS_ARE_THE_RULE = 0.9
const OUTCOMES_REMEMBERED = 32

/** Reads without claiming. Those of one tick travel together. */
export class PlainReads {
  readonly #clock: Clock
  readonly #redisClock: RedisClock
  readonly #report: (error: unknown) => void
  readonly #texts: ReadBatch<PlainRead<unknown>, string>
  readonly #bytes: ReadBatch<PlainRead<unknown>, Buffer>
  /** Share of hits among the last reads, the latest counting most. */
  #hitShare = 0
  /** Whether values have been text so far; bytes that are no text would be damaged by being read as such. */
  #isText = true

  constructor(
    connection: Connection,
    clock: Clock,
    redisClock: RedisClock,
    report: (error: unknown) => void,
    guard: Guard,
  ) {
    this.#clock = clock
    this.#redisClock = redisClock
    this.#report = report
    const onFailure = (read: PlainRead<unknown>, error: unknown): void => {
      if (!(error instanceof BreakerOpenError)) report(error)
      read.onEntry(undefined)
    }
    this.#texts = new ReadBatch(connection, 'text', guard, {
      onFound: (read, text) => this.#answer(read, text === null ? undefined : this.#fromText(text)),
      onFailure,
    })
    this.#bytes = new ReadBatch(connection, 'bytes', guard, {
      onFound: (read, bytes) => this.#answer(read, bytes === null ? undefined : this.#fromBytes(bytes, read.codec)),
      onFailure,
    })
  }

  /** Whether reads have found fresh values so often of late that they are worth trying before a claim. */
  get areWorthwhile(): boolean {
    return this.#hitShare > HITS_ARE_THE_RULE && this.#redisClock.isKnownAt(this.#clock.coarseNow())
  }

  noteOutcome(isHit: boolean): void {
    this.#hitShare += ((isHit ? 1 : 0) - this.#hitShare) / OUTCOMES_REMEMBERED
  }

  add<V>(read: PlainRead<V>): void {
    const batch = this.#isText && read.codec === (defaultCodec as Codec<V>) ? this.#texts : this.#bytes
    batch.add(read as PlainRead<unknown>)
  }

  #answer(read: PlainRead<unknown>, entry: Entry | undefined): void {
    this.noteOutcome(entry !== undefined)
    read.onEntry(entry)
  }

  #fromText(text: string): Entry | undefined {
    const header = readHeader(text)
    if (header === undefined || !this.#isUsable(header)) return undefined
    if (!isText(text.charAt(HEADER_LENGTH))) {
      this.#isText = false // from now on bytes are asked for; this one is left to a claim
      return undefined
    }
    return enter(header, NO_TAGS, () => decodeText(text.slice(HEADER_LENGTH)), this.#redisClock, this.#report)
  }

  #fromBytes(bytes: Buffer, codec: Codec): Entry | undefined {
    const header = readHeader(bytes.toString('latin1', 0, HEADER_LENGTH))
    if (header === undefined || !this.#isUsable(header)) return undefined
    return enter(header, NO_TAGS, () => codec.decode(bytes.subarray(HEADER_LENGTH)), this.#redisClock, this.#report)
  }

  #isUsable({ kind, tagBytes, freshUntil }: Header): boolean {
    return kind === 'value' && tagBytes === 0 && this.#clock.coarseNow() < this.#redisClock.toLocal(freshUntil)
  }
}

const NO_TAGS: readonly string[] = []
