/** ms that a query takes. */
export const QUERY_TIME = 200
/** Queries that the database answers at a time, over all processes. */
export const CONNECTIONS = 20
/** ms that the query takes of the process that is killed meanwhile. */
export const LONG_QUERY_TIME = 3000
/** ms for which the response of the third phase is fresh: it expires while that phase is under way. */
export const STALE_PHASE_TTL = 1500
/** ms over which the requests of the third phase are spread. */
export const STALE_PHASE_LENGTH = 2000
