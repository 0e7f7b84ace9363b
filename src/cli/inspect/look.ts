import { readHead, type EntryHead } from '../../store/entry-head.ts'
import { GONE, readHolding } from '../../store/holding.ts'
import { askTime } from '../../store/redis-clock.ts'
import { describeEntry } from '../../store/stored-entry.ts'
import type { Found } from './find.ts'

/** A lease of a refill, or a lock, that is held now. */
export interface ListedLease {
  readonly kind: 'lease' | 'lock'
  readonly key: string
  /** The inbox of the process that holds it; `undefined` if the holder does not use herdlock. The token itself stays secret. */
  readonly holder: string | undefined
  /** ms; -1 when it never ends. */
  readonly remaining: number
  /** Processes that wait for a refill, callers that wait for a lock. */
  readonly waiters: number
}

/** An entry that is stored now. Durations in ms, on the clock of its Redis. */
export interface ListedEntry {
  readonly key: string
  /**
   * `outdated`: past its windows, or one of its tags was invalidated. `unshared`: a marker that results of the key must
   * not be shared. `foreign`: not written by herdlock, or by another version.
   */
  readonly state: 'fresh' | 'stale' | 'outdated' | 'unshared' | 'failed' | 'foreign'
  /** From now to the end of `ttl` and of each window, 0 when it has ended. */
  readonly fresh: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  /** Until Redis deletes it; -1 when it never does. */
  readonly expires: number
  /** Bytes of the encoded value. */
  readonly size: number
  /** ms that its loader took. */
  readonly loadTime: number
  readonly tags: readonly string[]
}

/** The lease or lock with a name; `undefined` if it has disappeared meanwhile, or is not one. */
export async function lookAtLease({ kind, key, redisKey, waitersKey, node }: Found): Promise<ListedLease | undefined> {
  if (kind === 'entry') return undefined
  const held = await readHolding(node, redisKey, kind, waitersKey)
  if (held === undefined) return undefined
  const { holder, isOurs, remaining = -1, waiting } = held
  return { kind, key, holder: isOurs ? holder : undefined, remaining, waiters: waiting }
}

type Head = NonNullable<EntryHead['envelope']>

const FOREIGN = { fresh: 0, staleWhileRevalidate: 0, staleIfError: 0, loadTime: 0, tags: [] } as const

/** The entry with a name; `undefined` if it has disappeared meanwhile. */
export async function lookAtEntry(
  { key, redisKey, node }: Found,
  leftByTags: (envelope: Head, now: number) => Promise<Head | undefined>,
): Promise<ListedEntry | undefined> {
  const [now, { envelope, bytes, headBytes }, pttl] = await Promise.all([
    askTime(node),
    readHead(node, redisKey),
    node.command('pttl', redisKey),
  ])
  const expires = Number(pttl)
  if (expires === GONE) return undefined
  const stored = { key, expires, size: bytes - headBytes }
  if (envelope === undefined) return { ...stored, state: 'foreign', ...FOREIGN }
  const left = await leftByTags(envelope, now)
  const { state, ttl, staleWhileRevalidate, staleIfError, loadTime } = describeEntry(left ?? envelope, bytes, now)
  const isUsable = left !== undefined && ttl + staleWhileRevalidate + staleIfError > 0
  return {
    ...stored,
    state: !isUsable ? 'outdated' : state === 'unshareable' ? 'unshared' : state,
    fresh: ttl,
    staleWhileRevalidate: ttl + staleWhileRevalidate,
    staleIfError: ttl + staleIfError,
    loadTime,
    tags: envelope.tags.map(([tag]) => tag), // in readable form, as keys are
  }
}
