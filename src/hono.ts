/**
 * The middleware for Hono 4.
 *
 * @module herdlock/hono
 */
export { singleFlight } from './middleware/hono/single-flight.ts'
export type { HonoFlight } from './middleware/hono/single-flight.ts'
export type { HonoContext, HonoNext } from './middleware/hono/hono-context.ts'
export type { SingleFlightOptions } from './middleware/fetch/single-flight.ts'
