import { splitVersion } from '../key-version.ts'
import type { Connection } from '../redis/connection.ts'
import { entryKeys, entryKeysBeginning, entryKeysOf, original, readable } from '../redis/entry-keys.ts'
import { SCAN_START, scanStep, type ScanPosition } from '../redis/scan.ts'
import { readHead } from './entry-head.ts'
import { readHolding } from './holding.ts'
import { askTime } from './redis-clock.ts'
import { describeEntry, type StoredEntry } from './stored-entry.ts'
import { leftByTags } from './tags.ts'

/** The lease of a refill, held by any process. */
export interface HeldLease {
  readonly key: string
  /** Version of the value, if it has one. */
  readonly version: string | undefined
  /** The form of the key in Redis: escaped, and of limited length. */
  readonly form: string
  /** Whether `key` is only the beginning of a long key with its hash. */
  readonly shortened: boolean
  /** Names the process that holds it. For a token that is not ours, its beginning. Never a whole token. */
  readonly holder: string
  /** ms after which it ends unless it is extended. `undefined` if it never ends, so it is not ours. */
  readonly remaining: number | undefined
  /** How many processes are registered for its result. */
  readonly waitingProcesses: number
}

/** What a listing has found so far. To go on with it, pass it to the next call. */
export interface Listing<T> {
  readonly items: readonly T[]
  /** Whether all keys have been looked at. Then the next call begins again. */
  readonly complete: boolean
  readonly position: string
}

/** Keys that Redis looks at in one step of a listing, and steps of one call: some milliseconds of Redis's time. */
const KEYS_A_STEP = 2000
const STEPS = 20
/** Most items of a listing. */
const MOST_ITEMS = 1000
const ENDING = '}:lease'

/**
 * Looks at what a cache, or any other with the same prefix, has in one Redis. Uses plain commands that change nothing; what
 * it reports was true a moment ago. Listings use SCAN, a limited part for each call, on every master of a Cluster.
 */
export class Inspector {
  readonly #connection: Connection
  readonly #prefix: string

  constructor(connection: Connection, prefix: string) {
    this.#connection = connection
    this.#prefix = prefix
  }

  /** The entry of `key`, if a reader could use it. Rejects with Redis's error. */
  async entry(key: string): Promise<StoredEntry | undefined> {
    const [now, { envelope, bytes }] = await Promise.all([
      askTime(this.#connection),
      readHead(this.#connection, entryKeys(this.#prefix, key).value),
    ])
    const readTag = (tagKey: string): Promise<unknown> => this.#connection.command('get', tagKey)
    const left = envelope && (await leftByTags(envelope, readable(key), now, this.#prefix, readTag))
    return left && describeEntry(left, bytes, now)
  }

  /** The lease of `key`, if anybody holds it. Rejects with Redis's error. */
  lease(key: string): Promise<HeldLease | undefined> {
    return this.#look(readable(key), key)
  }

  /**
   * The leases held now. First looks again at those of `previous` and of the `expected` keys. Then the listing goes on where
   * `previous` ended. Rejects with Redis's error.
   */
  async leases(previous?: Listing<HeldLease>, expected: Iterable<string> = []): Promise<Listing<HeldLease>> {
    const known = new Map<string, string | undefined>()
    const add = (form: string, key?: string): void => {
      if (known.size < MOST_ITEMS && !known.has(form)) known.set(form, key)
    }
    for (const key of expected) add(readable(key), key)
    for (const { form } of previous?.items ?? []) add(form)
    const end = await this.#goOn(previous, add)
    const found = await Promise.all(Array.from(known, ([form, key]) => this.#look(form, key)))
    return { ...end, items: found.filter((lease) => lease !== undefined) }
  }

  /** Calls `onFound` with the form of each user's key that has a lease. */
  async #goOn(
    previous: Listing<HeldLease> | undefined,
    onFound: (form: string) => void,
  ): Promise<{ complete: boolean; position: string }> {
    const beginning = entryKeysBeginning(this.#prefix)
    let position = previous === undefined || previous.complete ? SCAN_START : (previous.position as ScanPosition)
    let found = 0
    for (let step = 0; step < STEPS && found < MOST_ITEMS; step++) {
      const { keys, next } = await scanStep(this.#connection, { beginning, ending: ENDING }, position, KEYS_A_STEP)
      found += keys.length
      for (const key of keys) onFound(key.slice(beginning.length, -ENDING.length))
      if (next === undefined) return { complete: true, position: SCAN_START }
      position = next
    }
    return { complete: false, position }
  }

  async #look(form: string, whole?: string): Promise<HeldLease | undefined> {
    const { lease, waiters } = entryKeysOf(this.#prefix, form)
    const held = await readHolding(this.#connection, lease, 'lease', waiters)
    if (held === undefined) return undefined
    const { holder, remaining, waiting } = held
    const { key, shortened } = whole === undefined ? original(form) : { key: whole, shortened: false }
    return { ...splitVersion(key), form, shortened, holder, remaining, waitingProcesses: waiting }
  }
}
