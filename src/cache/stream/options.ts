import { checkBoolean, checkFunction, checkOneOf, count, duration, positiveDuration } from '../../check.ts'
import {
  settingsOf,
  type CallSettings,
  type CallOptions,
  type ResolvedOptions,
  type Lifetime,
  type VersionOptions,
} from '../options.ts'

/** What a producer is told, and what it may say about its stream. Its functions may be used detached. */
export interface ProducerContext {
  readonly key: string
  /**
   * Aborts when the stream is of no use any more: nobody reads it (reason: an `AbortError`), it has gone beyond a bound
   * (`StreamLimitError`), or the cache was closed (`ClosedError`).
   */
  readonly signal: AbortSignal
  /**
   * How many chunks have been published already: not 0 where, with `onProducerLost: 'resume'`, the stream of a producer that
   * was lost is gone on with. What is yielded follows them.
   */
  readonly resumeFrom: number
  /** Lifetime of the finished stream, where it is known only now; overrides options. Tags add to those of the call. */
  cacheFor(options: Lifetime & { tags?: readonly string[] | undefined }): void
  /** Those who read get the stream; nobody keeps it. */
  doNotStore(): void
}

/**
 * Produces a stream. Chunks are texts, bytes (`Uint8Array`), or values that JSON can say; they keep their boundaries.
 */
export type Producer<C> = (context: ProducerContext) => AsyncIterable<C>

/**
 * Options of a stream. Those that concern the producer count where this caller's producer runs. `ttl`, windows, tags and so on
 * are those of the finished stream, which is an entry like any other.
 */
export interface StreamOptions
  extends
    Lifetime,
    VersionOptions,
    Pick<CallOptions, 'tags' | 'signal' | 'jitter' | 'failureTtl' | 'forceFresh' | 'waitUntil'> {
  /**
   * When a producer is gone, as its process died or froze: `'restart'`, another begins anew, which readers follow that have
   * had nothing yet; others get `ProducerLostError`. `'resume'`: another goes on behind what is published, see
   * `ProducerContext.resumeFrom`. Default `'restart'`.
   */
  onProducerLost?: 'restart' | 'resume' | undefined
  /** ms for which a producer goes on when the last reader, of all processes, has left. Default 0. */
  linger?: number | undefined
  /** Whether it goes on to its end then, so that the stream is stored. Default `false`. */
  keep?: boolean | undefined
  /** ms from one command that publishes chunks to the next: what comes meanwhile travels together. Default 20. */
  gatherFor?: number | undefined
  /** With so many bytes they are published at once. Default 16 KiB. */
  gatherBytes?: number | undefined
  /** Bytes of one chunk at most. Default 1 MiB. */
  maxChunkBytes?: number | undefined
  /** Bytes of all chunks at most. Default 16 MiB. */
  maxBytes?: number | undefined
  /** Chunks at most. Default 100 000. */
  maxChunks?: number | undefined
  /** ms that a producer may take. Default 10 minutes. */
  maxDuration?: number | undefined
}

/** What counts for one caller of a stream. */
export interface StreamSettings {
  readonly onProducerLost: 'restart' | 'resume'
  readonly linger: number
  readonly keep: boolean
  readonly gatherFor: number
  readonly gatherBytes: number
  readonly maxChunkBytes: number
  readonly maxBytes: number
  readonly maxChunks: number
  readonly maxDuration: number
  /** Of the entry that the finished stream becomes. */
  readonly entry: CallSettings<readonly unknown[]>
}

/** Who asks for a stream, and what he brings for the case that he is the one to produce it. */
export interface Caller {
  readonly key: string
  readonly producer: Producer<unknown>
  readonly settings: StreamSettings
  readonly signal: AbortSignal | undefined
}

/** How chunks are gathered where nothing else is said: ms and bytes. */
export const GATHERING: Pick<StreamSettings, 'gatherFor' | 'gatherBytes'> = { gatherFor: 20, gatherBytes: 16 * 1024 }

const MIB = 1024 * 1024
/** ms that a load may take beyond its producer, which ends by its own bound. */
const BEYOND_DURATION = 60_000

/** Completes the options, of which those of any call have been checked; throws `TypeError` or `RangeError` that names the option at fault. */
export function streamSettingsOf(producer: unknown, options: StreamOptions, defaults: ResolvedOptions): StreamSettings {
  checkFunction('producer', producer)
  const { keep = false, onProducerLost = 'restart' } = options
  const maxDuration = positiveDuration('maxDuration', options.maxDuration ?? 600_000)
  const entry = settingsOf(options as CallOptions<readonly unknown[]>, defaults)
  const patience = maxDuration + BEYOND_DURATION
  return {
    onProducerLost: checkOneOf('onProducerLost', onProducerLost, ['restart', 'resume']),
    linger: duration('linger', options.linger ?? 0),
    keep: checkBoolean('keep', keep),
    gatherFor: duration('gatherFor', options.gatherFor ?? GATHERING.gatherFor),
    gatherBytes: count('gatherBytes', options.gatherBytes ?? GATHERING.gatherBytes),
    maxChunkBytes: count('maxChunkBytes', options.maxChunkBytes ?? MIB),
    maxBytes: count('maxBytes', options.maxBytes ?? 16 * MIB),
    maxChunks: count('maxChunks', options.maxChunks ?? 100_000),
    maxDuration,
    entry: {
      ...entry,
      signal: undefined,
      softTimeout: 0,
      loadTimeout: patience,
      waitTimeout: patience,
      onWaitTimeout: 'throw',
      schema: undefined,
    },
  }
}
