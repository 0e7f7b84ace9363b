import { onAbort, reasonOf } from '../../abort.ts'
import { Execution } from '../../flight/execution.ts'
import type { CacheCore } from '../core.ts'
import { LoadRecord, type Loader } from './loader-context.ts'
import { settingsOf, type CallSettings } from '../options.ts'
import { checked } from '../schema/made-valid.ts'
import { runLoader } from './run-loader.ts'

/**
 * What a caller brings to a flight, to load for itself if the result turns out not to be shareable: its loader, where the
 * cache's own settings are to count. Thousands may wait, and most bring that.
 */
export type Brought<V> = Loader<V> | { alone(): V | Promise<V> }

export function aloneWith<V>(core: CacheCore, key: string, brought: Brought<V>): V | Promise<V> {
  return typeof brought === 'function'
    ? loadAlone(core, key, brought, settingsOf<V>(undefined, core.options))
    : brought.alone()
}

/**
 * Runs a loader for one caller, sharing and storing nothing: because results are not for others, or, with
 * `do-not-store`, because those who load for others took too long.
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
  const record = new LoadRecord<V>(key, execution, undefined, false, () => {})
  record.sharing = sharing
  const startedAt = clock.now()
  try {
    const value = await runLoader(checked(loader, settings.schema), record, settings.loadTimeout, execution, clock)
    events.refilled(key, clock.now() - startedAt)
    return value
  } catch (error) {
    events.refillFailed(key, error, clock.now() - startedAt)
    throw error
  } finally {
    for (const stop of stops) stop?.()
  }
}

function forward(signal: AbortSignal, execution: Execution): () => void {
  const abort = (): void => execution.abort(reasonOf(signal))
  if (!signal.aborted) return onAbort(signal, abort)
  abort()
  return () => {}
}
