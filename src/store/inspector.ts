import type { Clock } from '../clock.ts'
import type { Connection } from '../redis/connection.ts'
import { entryKeys, entryKeysBeginning, entryKeysOf, original, type EntryKeys } from '../redis/entry-keys.ts'
import { TOKEN_PREFIX } from '../redis/scripts/hand-off.ts'
import { SCAN_START, scanStep, type ScanPosition } from '../redis/scan.ts'
import { HEADER_LENGTH, decodeEnvelope, readHeader, type Envelope } from './envelope.ts'
import { Tags } from './tags.ts'

/** An entry as it is kept, for people to look at. */
export interface StoredEntry {
  /** As a reader would find it now; `unshareable`: a mark by which callers load for themselves. */
  readonly state: 'fresh' | 'stale' | 'unshareable'
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

/** The possession of a refill, by whichever process. */
export interface HeldLease {
  readonly key: string
  /** Whether `key` is only the beginning of a long key, and its hash. */
  readonly shortened: boolean
  /** Names the process that holds it; of a token that is none of ours, its beginning. Never a whole token. */
  readonly holder: string
  /** ms after which it ends unless it is extended; `undefined` when it never does, so that it is none of ours. */
  readonly remaining: number | undefined
  /** Processes that are registered for its result. */
  readonly waitingProcesses: number
}

/** An entry that a listing has met. */
export interface ListedEntry extends StoredEntry {
  readonly key: string
  readonly shortened: boolean
}

/** What a listing has found so far. To go on with it, hand it over at the next call. */
export interface Listing<T> {
  readonly items: readonly T[]
  /** Whether all keys have been looked at; then the next call begins again. */
  readonly complete: boolean
  readonly position: string
}

/** Keys that one step of a listing has Redis look at, and steps of one call: some milliseconds of Redis's time. */
const KEYS_A_STEP = 2000
const STEPS = 20
/** Most that is listed. */
const MOST_ITEMS = 1000
/** Most that is read of an entry: the header and, unless there are very many, its tags. */
const TOP_LENGTH = 4096

/**
 * Looks at what a cache, or any other of the same prefix, has in one Redis. By plain commands that change nothing; what
 * it says was so a moment ago. Listings go by SCAN, a bounded piece at a call, on every master of a Cluster.
 */
export class Inspector {
  readonly #connection: Connection
  readonly #prefix: string
  readonly #tags: Tags

  constructor(connection: Connection, clock: Clock, prefix: string) {
    this.#connection = connection
    this.#prefix = prefix
    this.#tags = new Tags(connection, clock, prefix)
  }

  /** The entry of `key` if a reader could use it. Rejects with Redis's error. */
  async entry(key: string): Promise<StoredEntry | undefined> {
    return this.#look(entryKeys(this.#prefix, key).value, await this.#now())
  }

  /** The lease of `key`, if anybody holds it. Rejects with Redis's error. */
  lease(key: string): Promise<HeldLease | undefined> {
    return this.#lookAtLease({ key, shortened: false }, entryKeys(this.#prefix, key))
  }

  /**
   * The leases that are held now. Those of `previous`, and of the keys that are `expected`, are looked at again; then
   * the listing goes on where `previous` ended. Rejects with Redis's error.
   */
  async leases(previous?: Listing<HeldLease>, expected: Iterable<string> = []): Promise<Listing<HeldLease>> {
    const known = new Map<string, () => Promise<HeldLease | undefined>>()
    const add = (named: { key: string; shortened: boolean }, keys: EntryKeys): void => {
      const isNew = known.size < MOST_ITEMS && !known.has(keys.lease)
      if (isNew) known.set(keys.lease, () => this.#lookAtLease(named, keys))
    }
    for (const key of expected) add({ key, shortened: false }, entryKeys(this.#prefix, key))
    for (const { key, shortened } of previous?.items ?? []) {
      add({ key, shortened }, shortened ? entryKeysOf(this.#prefix, key) : entryKeys(this.#prefix, key))
    }
    const end = await this.#list('}:lease', previous, (form) => add(original(form), entryKeysOf(this.#prefix, form)))
    return { ...end, items: await allFound(known.values()) }
  }

  /** Entries that a reader could use, from where `previous` ended; not those of `previous`. Rejects with Redis's error. */
  async entries(previous?: Listing<ListedEntry>): Promise<Listing<ListedEntry>> {
    const known = new Map<string, () => Promise<ListedEntry | undefined>>()
    const now = await this.#now()
    const end = await this.#list('}', previous, (form) => {
      const { value } = entryKeysOf(this.#prefix, form)
      known.set(value, async () => {
        const entry = await this.#look(value, now)
        return entry && { ...original(form), ...entry }
      })
    })
    return { ...end, items: await allFound(known.values()) }
  }

  /** Calls `onFound` with the form of each user's key of which there is one that ends so. */
  async #list(
    ending: string,
    previous: Listing<unknown> | undefined,
    onFound: (form: string) => void,
  ): Promise<{ complete: boolean; position: string }> {
    const beginning = entryKeysBeginning(this.#prefix)
    let position = previous === undefined || previous.complete ? SCAN_START : (previous.position as ScanPosition)
    let found = 0
    for (let step = 0; step < STEPS && found < MOST_ITEMS; step++) {
      const { keys, next } = await scanStep(this.#connection, { beginning, ending }, position, KEYS_A_STEP)
      found += keys.length
      for (const key of keys) onFound(key.slice(beginning.length, -ending.length))
      if (next === undefined) return { complete: true, position: SCAN_START }
      position = next
    }
    return { complete: false, position }
  }

  async #lookAtLease(named: { key: string; shortened: boolean }, keys: EntryKeys): Promise<HeldLease | undefined> {
    const [token, pttl, waiters] = await Promise.all([
      this.#connection.command('get', keys.lease),
      this.#connection.command('pttl', keys.lease),
      this.#connection.command('scard', keys.waiters),
    ]).catch(noneOfOurs)
    if (typeof token !== 'string' || Number(pttl) === GONE) return undefined
    const remaining = Number(pttl) < 0 ? undefined : Number(pttl)
    return { ...named, holder: holderOf(token), remaining, waitingProcesses: Number(waiters) }
  }

  async #look(valueKey: string, now: number): Promise<StoredEntry | undefined> {
    const [top, length] = await Promise.all([
      this.#connection.commandBuffer('getrange', valueKey, 0, TOP_LENGTH - 1),
      this.#connection.command('strlen', valueKey),
    ]).catch(noneOfOurs)
    const envelope = Buffer.isBuffer(top) ? await this.#envelope(valueKey, top) : undefined
    if (envelope === undefined || !(await this.#tags.areValid(envelope.tags))) return undefined
    const { freshUntil, staleUntil, errorUntil, loadTime } = envelope
    const ttl = Math.max(freshUntil - now, 0)
    const left = (until: number): number => Math.max(until - Math.max(now, freshUntil), 0)
    const kind = ttl > 0 ? 'fresh' : 'stale'
    return {
      state: envelope.kind === 'pass' ? 'unshareable' : kind,
      ttl,
      staleWhileRevalidate: left(staleUntil),
      staleIfError: left(errorUntil),
      bytes: Number(length),
      tags: envelope.tags.map(([tag]) => original(tag).key),
      loadTime,
    }
  }

  async #envelope(valueKey: string, top: Buffer): Promise<Envelope | undefined> {
    const header = readHeader(top.toString('latin1', 0, HEADER_LENGTH))
    if (header === undefined) return undefined
    const needed = HEADER_LENGTH + header.tagBytes
    if (needed <= top.length) return decodeEnvelope(top)
    return decodeEnvelope((await this.#connection.commandBuffer('getrange', valueKey, 0, needed - 1)) as Buffer)
  }

  /** ms on Redis's clock, on which entries say how long they live. */
  async #now(): Promise<number> {
    const [seconds, microseconds] = (await this.#connection.command('time')) as [string, string]
    return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
  }
}

/** What PTTL says of a key that is not there. */
const GONE = -2

/** All are asked at once; those that are there. */
async function allFound<T>(looks: Iterable<() => Promise<T | undefined>>): Promise<T[]> {
  const found = await Promise.all(Array.from(looks, (look) => look()))
  return found.filter((item) => item !== undefined)
}

function holderOf(token: string): string {
  if (!token.startsWith(TOKEN_PREFIX)) return `${token.slice(0, 8)}…`
  const [inbox] = token.slice(TOKEN_PREFIX.length).split(':')
  return inbox as string
}

/** Somebody else may have put something of another type there. */
function noneOfOurs(error: unknown): [] {
  if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return []
  throw error
}
