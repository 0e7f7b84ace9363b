import { original } from '../redis/entry-keys.ts'
import type { Envelope, Kind } from './envelope.ts'

/** A stored entry, for people to look at. */
export interface StoredEntry {
  /**
   * How a reader would find it now. `unshareable`: a mark that makes callers load for themselves. `failed`: a remembered
   * failure.
   */
  readonly state: 'fresh' | 'stale' | 'unshareable' | 'failed'
  /** ms left of `ttl`. */
  readonly ttl: number
  /** ms left of the window after `ttl`: all of it while the entry is fresh. */
  readonly staleWhileRevalidate: number
  /** ms left of the window after `ttl` in which it replaces a failed load. */
  readonly staleIfError: number
  /** Size of what is kept. For an entry in memory, the size of its encoded value, if it has one. */
  readonly bytes: number | undefined
  readonly tags: readonly string[]
  /** ms that its loader took. 0 if it was stored by `set`. */
  readonly loadTime: number
}

/** What is left of an entry at `now`, on the clock of its times. */
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

/** Describes what Redis has at `now` on its clock. */
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
