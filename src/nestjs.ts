/**
 * A module for Nest 11 and 12: a cache and locks to inject, `@Cached()` for methods, `@SingleFlight()` for controllers.
 *
 * @module herdlock/nestjs
 */
export { Cache } from './nestjs/cache-token.ts'
export { Cached } from './nestjs/cached.ts'
export type { CachedDecorator, CachedOptions } from './nestjs/cached.ts'
export { HerdlockModule } from './nestjs/herdlock-module.ts'
export type { HerdlockOptions, HerdlockOptionsFactory } from './nestjs/options.ts'
export { SingleFlight } from './nestjs/single-flight.ts'
export type { FlightOptions } from './nestjs/options.ts'
export { Locker } from './lock/locker.ts'
