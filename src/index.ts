/**
 * The cache, the middleware, the lock, and every error.
 *
 * @module herdlock
 */
export { createCache } from './cache/create-cache.ts'
export type { AnyCache, Cache, WrapOptions } from './cache/cache.ts'
export type { BusyClaim, Claim, FreshClaim, LeasedClaim, Refill } from './cache/claim.ts'
export type { Producer, ProducerContext, StreamOptions } from './cache/stream/options.ts'
export type { SharedStream } from './cache/stream/shared-stream.ts'
export type { TypedCache } from './cache/typed-cache.ts'
export type { CacheEvent, CacheEvents, CacheListener } from './cache/watch/events.ts'
export type { CacheStats, Histogram, RedisStats, Tier, TierStats } from './cache/watch/stats.ts'
export type { ClaimMessage, LockEndedMessage, LockMessage, RefillMessage } from './diagnostics.ts'
export type { CacheFlight, CacheLease, Inspection, LeaseListing } from './cache/watch/inspection.ts'
export type { BatchLoader } from './cache/refill/batch.ts'
export type { Loader, LoaderContext } from './cache/refill/loader-context.ts'
export type {
  CacheOptions,
  CallOptions,
  CallOptionsWith,
  ExpireOptions,
  FailureTtl,
  Lifetime,
  MemoryOptions,
  VersionOptions,
} from './cache/options.ts'
export type { StandardSchemaV1, ValidationResult, ValueOf } from './cache/schema/standard-schema.ts'
export type { Codec } from './store/codec.ts'
export { compressed, type CompressionOptions } from './store/compressed-codec.ts'
export type { HeldLease, Listing } from './store/inspector.ts'
export type { StoredEntry } from './store/stored-entry.ts'
export { singleFlight } from './middleware/node/single-flight.ts'
export type { Handler, Middleware, Next, SingleFlightOptions } from './middleware/node/single-flight.ts'
export { Locker } from './lock/locker.ts'
export type { Lock } from './lock/lock.ts'
export type { AcquireOptions, LockerOptions } from './lock/options.ts'
export type { RedisClient } from './redis/clients/port-of.ts'
export {
  BreakerOpenError,
  ClaimAbandonedError,
  ClosedError,
  HerdlockError,
  InvalidValueError,
  LoadTimeoutError,
  LockLostError,
  LockNotAcquiredError,
  LockNotHeldError,
  LockReleaseError,
  OverloadedError,
  ProducerLostError,
  RedisTimeoutError,
  ReentrantRefillError,
  RefillFailedError,
  SerializationError,
  StreamLimitError,
  SubscriberError,
  UnexpectedReplyError,
  WaitTimeoutError,
  type ValidationIssue,
} from './errors.ts'
