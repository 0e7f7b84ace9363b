import { messageOf } from '../../errors.ts'
import type { ReadEntry } from '../../store/entry.ts'
import type { Busy, Claim, Leased } from '../../store/redis-store.ts'
import type { CacheCore } from '../core.ts'
import type { CallSettings } from '../options.ts'
import { issuesOf, type Issues } from './standard-schema.ts'

/*
 * What is found in Redis may have been stored by a program whose values had another shape. What the schema of the call
 * refuses counts as not found, and listeners are told. It stays where it is until a refill replaces it: to others it may
 * be valid.
 */

/** Whether a value from Redis may be used; a promise if the schema is asynchronous. Never throws. */
export function isValid<V>(
  core: CacheCore,
  key: string,
  { schema }: CallSettings<V>,
  value: V,
): boolean | Promise<boolean> {
  if (schema === undefined) return true
  const judge = (issues: Issues): boolean => {
    if (issues !== undefined) core.events.invalid(key, issues)
    return issues === undefined
  }
  const fail = (error: unknown): boolean => judge([{ message: `the schema failed: ${messageOf(error)}` }])
  try {
    const issues = issuesOf(schema, value)
    return issues instanceof Promise ? inTime(core, issues).then(judge, fail) : judge(issues)
  } catch (error) {
    return fail(error)
  }
}

/** Callers wait until then, as they do for Redis. */
function inTime({ clock, options }: CacheCore, issues: Promise<Issues>): Promise<Issues> {
  const { commandTimeout } = options
  return new Promise((resolve, reject) => {
    const late = { message: `the schema did not answer within commandTimeout (${commandTimeout} ms)` }
    const timer = clock.setTimeout(() => resolve([late]), commandTimeout)
    issues.then(resolve, reject).finally(() => timer.cancel())
  })
}

/**
 * The result of `claim` when invalid entries count as absent. `claim` gets the time up to which fresh entries count as
 * stale: first `invalidUntil`, up to which an entry found before is known to be invalid.
 */
export async function claimValid<V>(
  core: CacheCore,
  key: string,
  settings: CallSettings<V>,
  claim: (freshBeyond?: number) => Promise<Claim<V>>,
  invalidUntil?: number,
): Promise<Claim<V>> {
  const mayUse = ({ value }: ReadEntry<V>): boolean | Promise<boolean> => isValid(core, key, settings, value)
  for (let overlooked = invalidUntil, n = 0; ; n++) {
    const found = await claim(n < 2 ? overlooked : Infinity)
    if (found.state === 'leased' || found.state === 'busy') {
      // The entry that was skipped is the one that is stale now.
      const isUsable = found.stale === undefined || (overlooked === undefined && (await mayUse(found.stale)))
      return isUsable ? found : withoutStale(found)
    }
    if (found.state !== 'fresh' || (await mayUse(found.entry))) return found
    overlooked = found.entry.freshUntil
  }
}

function withoutStale<V>(claim: Leased<V> | Busy<V>): Claim<V> {
  return claim.state === 'leased' ? { ...claim, stale: undefined, payload: undefined } : { ...claim, stale: undefined }
}
