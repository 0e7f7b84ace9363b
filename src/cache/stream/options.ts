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
   * Aborts when the stream is no longer of use: nobody reads it (reason: an `AbortError`), it exceeded a limit
   * (`StreamLimitError`), or the cache was closed (`ClosedError`).
   */
  readonly signal: AbortSignal
  /**
   * How many chunks are published already. The chunks that this producer yields follow them. Not 0 only with
   * `onProducerLost: 'resume'`, when this producer continues the stream of one that was lost.
   */
  readonly resumeFrom: number
  /** Lifetime of the finished stream, if it is known only now; overrides options. Tags add to those of the call. */
  cacheFor(options: Lifetime & { tags?: readonly string[] | undefined }): void
  /** Current readers get the stream, but it is not stored. */
  doNotStore(): void
}

/**
 * Produces a stream. Chunks are texts, bytes (`Uint8Array`), or values that JSON can represent. They keep their boundaries.
 */
export type Producer<C> = (context: ProducerContext) => AsyncIterable<C>

/**
 * Options of a stream. Those that concern the producer count if this caller's producer runs. `ttl`, windows, tags and so on
 * apply to the finished stream, which is an entry like any other.
 */
export interface StreamOptions
  extends
    Lifetime,
    VersionOptions,
    Pick<CallOptions, 'tags' | 'signal' | 'jitter' | 'failureTtl' | 'forceFresh' | 'waitUntil'> {
  /**
   * What happens when a producer is lost because its process died or froze. `'restart'`: another one starts again; readers
   * that have had nothing yet follow it, others get `ProducerLostError`. `'resume'`: another one continues after the
   * published chunks, see `ProducerContext.resumeFrom`. Default `'restart'`.
   */
  onProducerLost?: 'restart' | 'resume' | undefined
  /** ms for which a producer goes on after the last reader in all processes has left. Default 0. */
  linger?: number | undefined
  /** Whether the producer then goes on to its end, so that the stream is stored. Default `false`. */
  keep?: boolean | undefined
  /** ms from one command that publishes chunks to the next. Chunks that come meanwhile are sent together. Default 20. */
  gatherFor?: number | undefined
  /** Once this many bytes wait, they are published at once. Default 16 KiB. */
  gatherBytes?: number | undefined
  /** Most bytes of one chunk. Default 1 MiB. */
  maxChunkBytes?: number | undefined
  /** Most bytes of all chunks. Default 16 MiB. */
  maxBytes?: number | undefined
  /** Most chunks. Default 100 000. */
  maxChunks?: number | undefined
  /** Most ms that a producer may take. Default 10 minutes. */
  maxDuration?: number | undefined
}

/** The resolved options of one caller of a stream. */
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
  /** For the entry that the finished stream becomes. */
  readonly entry: CallSettings<readonly unknown[]>
}

/** A caller that asks for a stream, with what it needs in case its producer runs. */
export interface Caller {
  readonly key: string
  readonly producer: Producer<unknown>
  readonly settings: StreamSettings
  readonly signal: AbortSignal | undefined
}

/** How chunks are gathered by default: ms and bytes. */
export const GATHERING: Pick<StreamSettings, 'gatherFor' | 'gatherBytes'> = { gatherFor: 20, gatherBytes: 16 * 1024 }

const MIB = 1024 * 1024
/** ms that a load may take longer than its producer, which has a limit of its own. */
const BEYOND_DURATION = 60_000

/** Completes the options; those of any call are checked already. Throws a `TypeError` or `RangeError` naming the option. */
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
