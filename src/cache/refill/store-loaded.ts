import type { CacheCore } from '../core.ts'
import type { IsolatedLoad } from '../local/isolation.ts'
import { instantsOf, storingOf } from '../local/lifetime.ts'
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

/** Stores the value in memory and in Redis. The callers have it already. `callers` is told that this goes on. */
export function storeLoaded<V>(
  { clock, events, local, random }: CacheCore,
  { key, settings }: RefillOrder<V>,
  loaded: Loaded<V>,
  lease: Lease,
  callers?: Callers<V>,
): Promise<unknown> | undefined {
  const { value, isolated, record, unchanged, since } = loaded
  const storing = storingOf(value, settings, record, random.uniform(), unchanged && storedTags(unchanged))
  // Nothing has changed this time, but the next load may be a full one again.
  const loadTime = Math.max(loaded.loadTime, unchanged?.loadTime ?? 0)
  const life = { ...instantsOf(storing, clock.now()), loadTime, tags: storing.tags }
  const mayKeep = record.sharing === 'share' && value !== undefined && isolated !== undefined
  // Later callers find it in memory, even while Redis is slow.
  const kept = mayKeep ? events.orReport(() => local.keep(since, key, life, isolated)) : undefined
  // A change may forbid keeping it, for example if only Redis knows the order. What it replaces is older in any case.
  if (mayKeep && kept === undefined) local.drop(key, callers?.replaced)
  if (lease === localLease) return undefined
  callers?.goOnUnattended()
  const isRenewal = mayKeep && unchanged !== undefined && loaded.isStored
  const payload = isRenewal ? undefined : isolated && events.orReport(() => isolated.encode())
  // Others need not wait for a value that cannot be sent to them.
  if (isolated === undefined || (payload === undefined && !isRenewal)) return lease.localise(PASS_DURATION)
  if (payload !== undefined && !mayKeep) return lease.deliver(payload, storing)
  const asked = { since, sentAt: local.now, kept }
  const ended =
    payload === undefined
      ? lease.renew(storing, loadTime, () => isolated.encode())
      : lease.commit(payload, storing, loadTime)
  return ended.then((isAccepted) => {
    if (isAccepted === false) local.drop(key, kept)
    else if (isAccepted) events.orReport(() => local.keepCommitted(asked, key, life, isolated))
  })
}
