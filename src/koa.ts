/**
 * The middleware for Koa 2 and 3.
 *
 * @module herdlock/koa
 */
export { singleFlight } from './middleware/koa/single-flight.ts'
export type { KoaFlight } from './middleware/koa/single-flight.ts'
export type { KoaContext, KoaNext } from './middleware/koa/koa-context.ts'
export type { SingleFlightOptions } from './middleware/node/single-flight.ts'
