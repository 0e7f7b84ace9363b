import { LockNotHeldError, LockReleaseError } from '../errors.ts'
import type { Instance } from './instance.ts'

/**
 * Releases on every instance, in reverse order: the first instance guards the others, so it is freed last. If one fails,
 * the others are still released. `wasSurelyHeld`: the lock was valid when the release was first sent. If the release may
 * have been sent twice and the lock is gone, then the first one has ended it.
 */
export async function releaseEverywhere(
  instances: readonly Instance[],
  key: string,
  token: string,
  wasSurelyHeld: boolean,
): Promise<void> {
  const errors: unknown[] = []
  let held = true
  for (const instance of instances.toReversed()) {
    try {
      const released = await instance.release(key, token)
      if (released === 'no' || (released === 'perhaps' && !wasSurelyHeld)) held = false
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) {
    if (instances.length === 1) throw errors[0]
    if (!held) errors.push(new LockNotHeldError(key))
    throw new LockReleaseError(key, errors)
  }
  if (!held) throw new LockNotHeldError(key)
}
