import type { CacheCore } from '../core.ts'
import type { IsolatedLoad } from '../local/isolation.ts'
import { instantsOf, storingOf } from '../local/lifetime.ts'
import { localLease, type Lease } from '../shared/lease.ts'
import type { RefillOrder } from './call.ts'
import { PASS_DURATION, type Callers } from './callers.ts'
import type { LoadRecord } from './loader-context.ts'
import { storedTags, type Stale } from './stale.ts'

/** What a loader has made, and what is known of it. */
export interface Loaded<V> {
  readonly value: V
  /** Absent where it could not be isolated. */
  readonly isolated: IsolatedLoad<V> | undefined
  readonly record: Pick<LoadRecord<V>, 'lifetime' | 'tags' | 'sharing'>
  readonly loadTime: number
  /** What it said to be unchanged, if it did. */
  readonly unchanged: Stale<V> | undefined
  /** Whether that stands in Redis. */
  readonly isStored: boolean
  /** The number of the last change that was known when the load began. */
  readonly since: number
}

/** Puts the value where it belongs, in memory and in Redis. The callers have it already; `callers` are told that this goes on. */
export function storeLoaded<V>(
  { clock, events, local, random }: CacheCore,
  { key, settings }: RefillOrder<V>,
  loaded: Loaded<V>,
  lease: Lease,
  callers?: Callers<V>,
): Promise<unknown> | undefined {
  const { value, isolated, record, unchanged, since } = loaded
  const storing = storingOf(value, settings, record, random.uniform(), unchanged && storedTags(unchanged))
  // Where nothing has changed now, the next load may be a whole one again.
  const loadTime = Math.max(loaded.loadTime, unchanged?.loadTime ?? 0)
  const life = { ...instantsOf(storing, clock.now()), loadTime, tags: storing.tags }
  const mayKeep = record.sharing === 'share' && value !== undefined && isolated !== undefined
  // Whoever asks from now on finds it there, also while Redis takes its time.
  const kept = mayKeep ? events.orReport(() => local.keep(since, key, life, isolated)) : undefined
  // A change may forbid to keep it, as of an order that only Redis knows. What it replaces is older in any case.
  if (mayKeep && kept === undefined) local.drop(key, callers?.replaced)
  if (lease === localLease) return undefined
  callers?.goOnUnattended()
  const isRenewal = mayKeep && unchanged !== undefined && loaded.isStored
  const payload = isRenewal ? undefined : isolated && events.orReport(() => isolated.encode())
  // What others cannot be sent they need not wait for.
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
