/**
 * The middleware for handlers that answer a `Request` with a `Response`: on Node, Bun and Deno.
 *
 * @module herdlock/fetch
 */
export { singleFlight } from './middleware/fetch/single-flight.ts'
export type { Flight, Next, RequestOptions, SingleFlightOptions } from './middleware/fetch/single-flight.ts'
