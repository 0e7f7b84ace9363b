/**
 * The middleware alone, for Express, Connect and `node:http`.
 *
 * @module herdlock/express
 */
export { singleFlight } from './middleware/single-flight.ts'
export type { Handler, Middleware, Next } from './middleware/single-flight.ts'
export type { SingleFlightOptions } from './middleware/options.ts'
