export { createCache } from './cache/create-cache.ts'
export type { Cache, WrapOptions } from './cache/cache.ts'
export type { CacheEvent, CacheEvents, CacheListener, CacheStats } from './cache/events.ts'
export type { Loader, LoaderContext } from './cache/loader-context.ts'
export type { CacheOptions, CallOptions, Lifetime, MemoryOptions } from './cache/options.ts'
export type { Codec } from './store/codec.ts'
export { Locker } from './lock/locker.ts'
export type { Lock } from './lock/lock.ts'
export type { AcquireOptions, LockerOptions } from './lock/options.ts'
export type { RedisClient } from './redis/client.ts'
export {
  ClosedError,
  HerdlockError,
  LoadTimeoutError,
  LockLostError,
  LockNotAcquiredError,
  LockNotHeldError,
  RedisTimeoutError,
  ReentrantRefillError,
  RefillFailedError,
  SerializationError,
  WaitTimeoutError,
} from './errors.ts'
