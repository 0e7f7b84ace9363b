import { lockChannel, lockEndedChannel, traced, type LockEndedMessage, type LockMessage } from '../diagnostics.ts'
import { LockNotAcquiredError } from '../errors.ts'
import type { Clock } from '../clock.ts'
import type { HeldLock } from './held-lock.ts'

/** Runs an acquisition as one operation of `herdlock:lock`. `key` is the key to publish. */
export function traceAcquisition<T>(key: string, waiting: boolean, acquire: () => Promise<T>): Promise<T> {
  const message: LockMessage = { key, waiting }
  return traced(lockChannel, message, async () => {
    try {
      const lock = await acquire()
      message.outcome = 'acquired'
      return lock
    } catch (error) {
      message.outcome = error instanceof LockNotAcquiredError ? 'refused' : 'failed'
      throw error
    }
  })
}

/** Publishes on `herdlock:lock-ended` when and how a newly acquired lock ends. */
export function traceEnd(lock: HeldLock, key: string, clock: Clock): void {
  const acquiredAt = clock.now()
  lock.onEnd((outcome) => {
    const message: LockEndedMessage = { key, outcome, heldFor: clock.now() - acquiredAt }
    lockEndedChannel.publish(message)
  })
}
