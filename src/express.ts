/**
 * The middleware alone, for Express, Connect and `node:http`.
 *
 * @module herdlock/express
 */
export { singleFlight } from './middleware/node/single-flight.ts'
export type { Handler, Middleware, Next, SingleFlightOptions } from './middleware/node/single-flight.ts'
