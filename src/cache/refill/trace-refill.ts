import { refillChannel, traced, type RefillMessage } from '../../diagnostics.ts'
import { withoutVersion } from '../../key-version.ts'
import type { ResolvedOptions } from '../options.ts'

/** Runs a refill as one operation of `herdlock:refill`. `run` never rejects: the message says how it ended. */
export function traceRefill(
  { name, redactKey }: ResolvedOptions,
  { key, background = false }: { readonly key: string; readonly background?: boolean },
  run: (message: RefillMessage) => Promise<void>,
): void {
  const message: RefillMessage = { cache: name, key: redactKey(withoutVersion(key)), background }
  const work = async (): Promise<void> => {
    await run(message)
    if (message.outcome === 'failed') throw message.error
  }
  traced(refillChannel, message, work).catch(() => {}) // its callers have the error already
}
