import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Meter } from '@opentelemetry/api'
import type { CacheEvents } from '../cache/watch/events.ts'
import { systemClock } from '../clock.ts'
import {
  claimChannel,
  DURATION_BOUNDS,
  lockChannel,
  lockEndedChannel,
  outcomeChannels,
  type LockEndedMessage,
} from '../diagnostics.ts'
import { CACHE_NAME, CLAIM_STATE, ERROR_TYPE, errorType, LOCK_OUTCOME, LOCK_WAITING } from './attributes.ts'
import { followOperations } from './operations.ts'

type Told<E extends 'refilled' | 'refill-failed'> = CacheEvents[E] & { cache: string }

/** How long loaders, claims and acquisitions take, and how long locks are held. */
export function recordDurations(meter: Meter): () => void {
  const durations = (name: string, description: string): { record(ms: number, attributes: Attributes): void } => {
    const advice = { explicitBucketBoundaries: DURATION_BOUNDS.map(inSeconds) }
    const histogram = meter.createHistogram(name, { description, unit: 's', advice })
    return { record: (ms, attributes) => histogram.record(inSeconds(ms), attributes) }
  }
  const loads = durations('herdlock.loader.duration', 'Time that loaders took, by key.')
  const claims = durations('herdlock.claim.duration', 'Time that Redis took to answer a claim.')
  const acquisitions = durations('herdlock.lock.acquire.duration', 'Time until a lock was acquired or refused.')
  const possessions = durations('herdlock.lock.held.duration', 'Time for which a lock was held.')
  const begin = (): { state: number } => ({ state: systemClock.now() })
  const stops = [
    listen(outcomeChannels.refilled.name, ({ cache, loadTime }: Told<'refilled'>) => {
      loads.record(loadTime, { [CACHE_NAME]: cache })
    }),
    listen(outcomeChannels['refill-failed'].name, ({ cache, loadTime, error }: Told<'refill-failed'>) => {
      loads.record(loadTime, { [CACHE_NAME]: cache, [ERROR_TYPE]: errorType(error) })
    }),
    followOperations(claimChannel, {
      begin,
      end({ cache, state }, startedAt) {
        claims.record(systemClock.now() - startedAt, { [CACHE_NAME]: cache, [CLAIM_STATE]: state })
      },
    }),
    followOperations(lockChannel, {
      begin,
      end({ waiting, outcome, error }, startedAt) {
        const failure = outcome === 'failed' ? { [ERROR_TYPE]: errorType(error) } : {}
        const attributes = { [LOCK_WAITING]: waiting, [LOCK_OUTCOME]: outcome, ...failure }
        acquisitions.record(systemClock.now() - startedAt, attributes)
      },
    }),
    listen(lockEndedChannel.name, ({ heldFor, outcome }: LockEndedMessage) => {
      possessions.record(heldFor, { [LOCK_OUTCOME]: outcome })
    }),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}

type Attributes = Record<string, string | boolean | undefined>

function listen<M>(name: string | symbol, handle: (message: M) => void): () => void {
  const handler = (message: unknown): void => handle(message as M)
  subscribe(name, handler)
  return () => void unsubscribe(name, handler)
}

function inSeconds(ms: number): number {
  return ms / 1000
}
