/**
 * The plugin for Fastify 5.
 *
 * @module herdlock/fastify
 */
export { herdlock, herdlock as default } from './middleware/fastify/plugin.ts'
export type { RouteFlightOptions } from './middleware/fastify/plugin.ts'
export type { SingleFlightOptions } from './middleware/node/single-flight.ts'
