import { original } from '../redis/entry-keys.ts'
import type { Envelope, Kind } from './envelope.ts'

/** An entry as it is kept, for people to look at. */
export interface StoredEntry {
  /**
   * As a reader would find it now; `unshareable`: a mark by which callers load for themselves; `failed`: a failure that is
   * remembered.
   */
  readonly state: 'fresh' | 'stale' | 'unshareable' | 'failed'
  /** ms that are left of `ttl`. */
  readonly ttl: number
  /** ms that are left of the window after it, all of it while the entry is fresh. */
  readonly staleWhileRevalidate: number
  /** ms that are left of the window after `ttl` in which it replaces a failed load. */
  readonly staleIfError: number
  /** Size of what is kept; of an entry in memory that of its encoded value, where it has one. */
  readonly bytes: number | undefined
  readonly tags: readonly string[]
  /** ms that its loader took; 0 for what was set. */
  readonly loadTime: number
}

/** What is left of an entry at `now`, by the clock of its instants. */
export function timeLeft(
  { freshUntil, staleUntil, errorUntil }: Pick<Envelope, 'freshUntil' | 'staleUntil' | 'errorUntil'>,
  now: number,
): Pick<StoredEntry, 'ttl' | 'staleWhileRevalidate' | 'staleIfError'> {
  const left = (until: number): number => Math.max(until - Math.max(now, freshUntil), 0)
  return {
    ttl: Math.max(freshUntil - now, 0),
    staleWhileRevalidate: left(staleUntil),
    staleIfError: left(errorUntil),
  }
}

/** Describes what stands in Redis at `now` on its clock. */
export function describeEntry(envelope: Omit<Envelope, 'payload'>, bytes: number, now: number): StoredEntry {
  const left = timeLeft(envelope, now)
  return {
    state: stateOf(envelope.kind, left.ttl),
    ...left,
    bytes,
    tags: envelope.tags.map(([tag]) => original(tag).key),
    loadTime: envelope.loadTime,
  }
}

function stateOf(kind: Kind, ttl: number): StoredEntry['state'] {
  if (kind === 'value') return ttl > 0 ? 'fresh' : 'stale'
  return kind === 'failed' ? 'failed' : 'unshareable'
}
