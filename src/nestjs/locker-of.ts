import { wrongType } from '../errors.ts'
import { Locker } from '../lock/locker.ts'
import { type HerdlockOptions, isCache } from './options.ts'

/** The application's locks. Without a Redis, every use throws an error that says so. */
export function lockerOf({ cache, locker }: HerdlockOptions): Locker {
  const redis = isCache(cache) ? undefined : cache.redis
  const options = locker ?? (redis === undefined ? undefined : { clients: redis })
  return options === undefined ? noLocks() : new Locker(options)
}

function noLocks(): Locker {
  const refuse = (): Promise<never> =>
    Promise.reject(wrongType('redis', 'given to HerdlockModule for locks', undefined))
  const methods = {
    prepare: refuse,
    tryAcquire: refuse,
    acquire: refuse,
    withLock: refuse,
    close: () => Promise.resolve(),
  }
  return Object.assign(Object.create(Locker.prototype) as Locker, methods)
}
