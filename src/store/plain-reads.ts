import { BreakerOpenError } from '../errors.ts'
import type { Connection } from '../redis/connection.ts'
import type { Guard } from './claim-batch.ts'
import { decodeText, defaultCodec, isText, type Codec } from './codec.ts'
import type { Entry } from './entry.ts'
import { HEADER_LENGTH, readHeader, type Header } from './envelope.ts'
import { enter } from './enter.ts'
import { ReadBatch } from './read-batch.ts'
import type { RedisClock } from './redis-clock.ts'

/**
 * A plain read costs a hit less than a claim does, and a miss a second round trip: so it is worth trying where hits are
 * the rule. The share of hits is a moving average over about so many reads.
 */
const HITS_ARE_THE_RULE = 0.9
const OUTCOMES_REMEMBERED = 32

/** Reads without claiming. Those of one tick travel together. */
export class PlainReads {
  readonly #redisClock: RedisClock
  readonly #report: (error: unknown) => void
  readonly #texts: ReadBatch<string>
  readonly #bytes: ReadBatch<Buffer>
  /** Share of hits among the last reads, the latest counting most. */
  #hitShare = 0
  /** Whether values have been text so far; bytes that are no text would be damaged by being read as such. */
  #isText = true

  constructor(connection: Connection, redisClock: RedisClock, report: (error: unknown) => void, guard: Guard) {
    this.#redisClock = redisClock
    this.#report = report
    this.#texts = new ReadBatch<string>(connection, 'text', guard)
    this.#bytes = new ReadBatch<Buffer>(connection, 'bytes', guard)
  }

  /** Whether reads have found fresh values so often of late that they are worth trying before a claim. */
  get areWorthwhile(): boolean {
    return this.#hitShare > HITS_ARE_THE_RULE && this.#redisClock.isKnown
  }

  noteOutcome(isHit: boolean): void {
    this.#hitShare += ((isHit ? 1 : 0) - this.#hitShare) / OUTCOMES_REMEMBERED
  }

  /** The entry if it is fresh and can be used without a further question, as entries with tags cannot. */
  read<V>(valueKey: string, codec: Codec<V>, onEntry: (entry: Entry<V> | undefined) => void): void {
    const answer = (entry: Entry<V> | undefined): void => {
      this.noteOutcome(entry !== undefined)
      onEntry(entry)
    }
    const onFailure = (error: unknown): void => {
      if (!(error instanceof BreakerOpenError)) this.#report(error)
      onEntry(undefined)
    }
    if (this.#isText && codec === (defaultCodec as Codec<V>)) {
      this.#texts.add({ valueKey, onFound: (text) => answer(this.#fromText(text)), onFailure })
    } else {
      this.#bytes.add({ valueKey, onFound: (bytes) => answer(this.#fromBytes(bytes, codec)), onFailure })
    }
  }

  #fromText<V>(text: string | null): Entry<V> | undefined {
    const header = text === null ? undefined : readHeader(text)
    if (text === null || header === undefined || !this.#isUsable(header)) return undefined
    if (!isText(text.charAt(HEADER_LENGTH))) {
      this.#isText = false // from now on bytes are asked for; this one is left to a claim
      return undefined
    }
    return enter(header, NO_TAGS, () => decodeText(text.slice(HEADER_LENGTH)) as V, this.#redisClock, this.#report)
  }

  #fromBytes<V>(bytes: Buffer | null, codec: Codec<V>): Entry<V> | undefined {
    const header = bytes === null ? undefined : readHeader(bytes.toString('latin1', 0, HEADER_LENGTH))
    if (bytes === null || header === undefined || !this.#isUsable(header)) return undefined
    return enter(header, NO_TAGS, () => codec.decode(bytes.subarray(HEADER_LENGTH)), this.#redisClock, this.#report)
  }

  #isUsable({ kind, tagBytes, freshUntil }: Header): boolean {
    return kind === 'value' && tagBytes === 0 && this.#redisClock.now() < freshUntil
  }
}

const NO_TAGS: readonly string[] = []
