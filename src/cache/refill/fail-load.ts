import type { RemoteFailure } from '../../store/notice.ts'
import { NOT_KEPT } from '../../store/storing.ts'
import type { CacheCore } from '../core.ts'
import { tagsOf } from '../local/lifetime.ts'
import { failureTtlOf } from '../options.ts'
import type { Lease } from '../shared/lease.ts'
import type { RefillOrder } from './call.ts'
import type { Callers } from './callers.ts'
import { describeFailure } from './describe-failure.ts'
import type { LoadRecord } from './loader-context.ts'
import { isAbandonment } from './run-loader.ts'

/** A load that has failed. */
export interface FailedLoad<V> {
  readonly reason: unknown
  readonly record: LoadRecord<V>
  readonly loadTime: number
  /** The number of the last change that was known when the load began. */
  readonly since: number
}

/** Hands on a load's failure, to the callers first. Resolves when waiters have it, and Redis if it is remembered. */
export function failLoad<V>(
  core: CacheCore,
  order: RefillOrder<V>,
  { reason, record, loadTime, since }: FailedLoad<V>,
  lease: Lease,
  callers: Callers<V>,
): Promise<unknown> {
  const { events } = core
  const { key, settings } = order
  events.refillFailed(key, reason, loadTime)
  const isTold = callers.fail(reason)
  const { isAborted, reason: why } = record.execution
  if (isAborted && isAbandonment(why)) return lease.abandon()
  const isAnswered = settings.forceFresh && callers.stale !== undefined // other callers are answered by what is stored
  const mayRemember = isTold && !isAnswered && record.sharing === 'share'
  const ttl = mayRemember ? events.orReport(() => failureTtlOf(settings.failureTtl, reason)) : undefined
  const failure = describeFailure(reason)
  return ttl ? remember(core, key, failure, { ttl, tags: tagsOf(settings, record), since }, lease) : lease.fail(failure)
}

/** Callers that come within `ttl` ms get the failure. */
async function remember(
  { clock, local }: CacheCore,
  key: string,
  failure: RemoteFailure,
  { ttl, tags, since }: { ttl: number; tags: readonly string[]; since: number },
  lease: Lease,
): Promise<void> {
  const kept = local.keepFailure(since, key, failure, { until: clock.now() + ttl, tags })
  if ((await lease.fail(failure, { ...NOT_KEPT, ttl, tags })) === false) local.drop(key, kept)
}
