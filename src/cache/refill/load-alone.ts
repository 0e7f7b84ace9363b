import { onAbort, reasonOf } from '../../abort.ts'
import type { Clock } from '../../clock.ts'
import { Execution } from '../../flight/execution.ts'
import type { LoadLimit } from '../shared/load-limit.ts'
import type { Slot } from '../shared/slot.ts'
import type { CacheCore } from '../core.ts'
import type { Loader } from './loader-context.ts'
import { settingsOf, type CallSettings } from '../options.ts'
import { checked } from '../schema/made-valid.ts'
import { LoneLoad } from './run-loader.ts'

/**
 * What a caller brings to a flight, for the case that the flight has no result for it. If the cache's own settings apply, it
 * is just its loader: thousands may wait, and most bring that.
 */
export type Brought<V> =
  | Loader<V>
  | {
      /** The result is not shared. */
      alone(): V | Promise<V>
      /** There is no result. Absent if the flight runs this caller's own loader. */
      again?(): V | Promise<V>
    }

export function aloneWith<V>(core: CacheCore, key: string, brought: Brought<V>): V | Promise<V> {
  return typeof brought === 'function'
    ? loadAlone(core, key, brought, settingsOf<V>(undefined, core.options))
    : brought.alone()
}

/**
 * Runs a loader for one caller, and shares and stores nothing: because results are not for others, or, with
 * `do-not-store`, because the shared load took too long. If loads are limited, it waits for a slot.
 */
export async function loadAlone<V>(
  core: CacheCore,
  key: string,
  loader: Loader<V>,
  settings: CallSettings<V>,
  sharing: 'do-not-share' | 'do-not-store' = 'do-not-share',
): Promise<V> {
  const { clock, events, closing } = core
  const execution = new Execution()
  const stops = [settings.signal, closing].map((signal) => signal && forward(signal, execution))
  const alone = new LoneLoad<V>(core.loadTimeouts, { fullKey: key, execution })
  alone.record.sharing = sharing
  const load = (): Promise<V> => alone.run(checked(loader, settings.schema), settings.loadTimeout)
  let startedAt = NaN
  try {
    const slot = core.limit && (await slotFor(core.limit, key, settings.waitTimeout, execution, clock))
    startedAt = clock.now()
    const value = await (slot === undefined ? load() : slot.run(load))
    events.refilled(key, clock.now() - startedAt)
    return value
  } catch (error) {
    if (!Number.isNaN(startedAt)) events.refillFailed(key, error, clock.now() - startedAt)
    throw error
  } finally {
    for (const stop of stops) stop?.()
  }
}

async function slotFor(
  limit: LoadLimit,
  key: string,
  waitTimeout: number,
  execution: Execution,
  clock: Clock,
): Promise<Slot> {
  const until = clock.now() + waitTimeout
  const slot = await limit.slotFor({ isLocal: false, until }, (stop) => (execution.onAbort = stop))
  if (typeof slot !== 'string') return slot
  throw execution.isAborted ? execution.reason : limit.refusal(key)
}

function forward(signal: AbortSignal, execution: Execution): () => void {
  const abort = (): void => execution.abort(reasonOf(signal))
  if (!signal.aborted) return onAbort(signal, abort)
  abort()
  return () => {}
}
