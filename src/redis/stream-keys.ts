import { entryKeysOf, readable } from './entry-keys.ts'

/** The keys of one run of a shared stream. All lie in the Cluster slot of the entry. */
export interface StreamKeys {
  /** The lease under which the entry is refilled. */
  readonly lease: string
  /** The token of the entry's current run. Every change of the entry deletes it. */
  readonly present: string
  /** List: the head, the chunks, and once the run is over, its end. */
  readonly log: string
  /** Exists as long as the producer lives. */
  readonly alive: string
  /** Sorted set of the inboxes that read, by the end of their registration in ms on Redis's clock. */
  readonly readers: string
}

/** The suffix that makes the key of the current stream from the key of an entry. */
export const PRESENT_STREAM = ':stream'

/** The keys of the run under `token`. The first two are keys of the entry. `clear` does not touch the others. */
export function streamKeys(prefix: string, key: string, token: string): StreamKeys {
  const form = readable(key)
  const { value, lease } = entryKeysOf(prefix, form)
  const log = `${prefix}:stream:{${form}}:${token}`
  return { lease, present: value + PRESENT_STREAM, log, alive: `${log}:alive`, readers: `${log}:readers` }
}
