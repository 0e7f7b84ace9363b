import type { Encoded } from '../../store/codec.ts'
import type { Life } from '../../store/entry.ts'
import type { Storing } from '../../store/storing.ts'
import type { CacheCore } from '../core.ts'
import type { IsolatedLoad } from '../local/isolation.ts'
import { lifeFrom, storingOf } from '../local/lifetime.ts'
import type { MemoryEntry } from '../local/memory-entry.ts'
import { localLease, type Lease } from '../shared/lease.ts'
import type { RefillOrder } from './call.ts'
import { PASS_DURATION, type Callers } from './callers.ts'
import type { LoadRecord } from './loader-context.ts'
import { storedTags, type Stale } from './stale.ts'

/** A loader's result, and what is known about it. */
export interface Loaded<V> {
  readonly value: V
  /** Absent if the value could not be isolated. */
  readonly isolated: IsolatedLoad<V> | undefined
  readonly record: Pick<LoadRecord<V>, 'lifetime' | 'tags' | 'sharing'>
  readonly loadTime: number
  /** The value that the loader said is unchanged, if it did. */
  readonly unchanged: Stale<V> | undefined
  /** Whether Redis has that value. */
  readonly isStored: boolean
  /** The number of the last change that was known when the load began. */
  readonly since: number
}

/** What a step says of which the end is told by a call. */
export const TOLD_LATER: unique symbol = Symbol('told later')

/**
 * Stores the value in memory and in Redis. The callers have it already. `callers` is told that this goes on. Returns a
 * promise of the end, or nothing if that has come, or `TOLD_LATER` if `onEnd` will be called: the usual end has no promise.
 */
export function storeLoaded<V>(
  core: CacheCore,
  { key, settings }: RefillOrder<V>,
  loaded: Loaded<V>,
  lease: Lease,
  callers: Callers<V>,
  onEnd: () => void,
): Promise<unknown> | typeof TOLD_LATER | undefined {
  const { value, isolated, record, unchanged } = loaded
  const storing = storingOf(value, settings, record, core.random.uniform(), unchanged && storedTags(unchanged))
  // Nothing has changed this time, but the next load may be a full one again.
  const loadTime = Math.max(loaded.loadTime, unchanged?.loadTime ?? 0)
  const mayKeep = record.sharing === 'share' && value !== undefined && isolated !== undefined
  // Later callers find it in memory, even while Redis is slow.
  const keeping = mayKeep
    ? new Keeping(core, key, loaded.since, lifeFrom(core.clock.now(), storing, loadTime), isolated)
    : undefined
  // What is not worth keeping replaces what was kept. After a change, only Redis can say whether it does.
  const isReplaced = keeping?.isKept === false && core.local.isUnchanged(loaded.since, key, storing.tags)
  if (isReplaced) core.local.drop(key, callers.replaced)
  if (lease === localLease) return undefined
  callers.goOnUnattended()
  if (isolated === undefined) return lease.localise(PASS_DURATION)
  if (keeping !== undefined && unchanged !== undefined && loaded.isStored) {
    return lease
      .renew(storing, loadTime, () => isolated.encode())
      .then((isHeld) => keeping.stored(isHeld, callers.replaced))
  }
  const payload = encoded(core, isolated)
  // Others need not wait for a value that cannot be sent to them.
  if (payload === undefined) return lease.localise(PASS_DURATION)
  if (keeping === undefined) return lease.deliver(payload, storing)
  commit(lease, keeping, { payload, storing, loadTime }, callers.replaced, onEnd)
  return TOLD_LATER
}

function commit<V>(
  lease: Lease,
  keeping: Keeping<V>,
  { payload, storing, loadTime }: { payload: Encoded; storing: Storing; loadTime: number },
  replaced: MemoryEntry<V> | undefined,
  onEnd: () => void,
): void {
  const onCommitted = (isHeld: boolean | undefined): void => {
    keeping.stored(isHeld, replaced)
    onEnd()
  }
  lease.commitFor(onCommitted, payload, storing, loadTime)
}

/** The same for one of thousands, of which the loader could say nothing. Calls `onEnd` at the end. */
export function storeBatched<V>(
  core: CacheCore,
  { key, settings }: RefillOrder<V>,
  { value, isolated, loadTime, since }: Pick<Loaded<V>, 'value' | 'isolated' | 'loadTime' | 'since'>,
  lease: Lease,
  onEnd: () => void,
): void {
  const storing = storingOf(value, settings, NOTHING_SAID, core.random.uniform())
  const keeping =
    value === undefined || isolated === undefined
      ? undefined
      : new Keeping(core, key, since, lifeFrom(core.clock.now(), storing, loadTime), isolated)
  const payload = isolated && encoded(core, isolated)
  if (payload === undefined) return void lease.localise(PASS_DURATION).then(onEnd)
  if (keeping === undefined) return void lease.deliver(payload, storing).then(onEnd)
  commit(lease, keeping, { payload, storing, loadTime }, undefined, onEnd)
}

/** A batch loader can say nothing about a single key. */
const NOTHING_SAID: Pick<LoadRecord<unknown>, 'lifetime' | 'tags'> = { lifetime: {}, tags: [] }

function encoded<V>({ events }: CacheCore, isolated: IsolatedLoad<V>): Encoded | undefined {
  try {
    return isolated.encode()
  } catch (error) {
    events.report(error)
    return undefined
  }
}

/** A loaded value in memory, where it stays unless Redis refuses it. */
class Keeping<V> {
  readonly #core: CacheCore
  readonly #key: string
  readonly #since: number
  readonly #life: Life
  readonly #isolated: IsolatedLoad<V>
  readonly #kept: MemoryEntry<V> | undefined
  /** The number of the last change that was known when it was sent to Redis. */
  readonly #sentAt: number

  constructor(core: CacheCore, key: string, since: number, life: Life, isolated: IsolatedLoad<V>) {
    this.#core = core
    this.#key = key
    this.#since = since
    this.#life = life
    this.#isolated = isolated
    this.#kept = this.#keep()
    this.#sentAt = core.local.now
  }

  get isKept(): boolean {
    return this.#kept !== undefined
  }

  /** `isHeld`: whether the lease still allowed it. If so, Redis has something newer than what memory had. */
  stored(isHeld: boolean | undefined, replaced: MemoryEntry<V> | undefined): void {
    const { local, events } = this.#core
    if (isHeld === false) local.drop(this.#key, this.#kept)
    else if (!this.isKept) local.drop(this.#key, replaced)
    if (!isHeld || this.#kept?.unsyncedUntil === Infinity) return // it is kept for its whole ttl already
    const asked = { since: this.#since, sentAt: this.#sentAt, kept: this.#kept }
    events.orReport(() => local.keepCommitted(asked, this.#key, this.#life, this.#isolated))
  }

  #keep(): MemoryEntry<V> | undefined {
    const { local, events } = this.#core
    try {
      return local.keep(this.#since, this.#key, this.#life, this.#isolated)
    } catch (error) {
      events.report(error)
      return undefined
    }
  }
}
