/** ms that the slow handler takes. */
export const HANDLER_TIME = 200
/** ms for which the response of the third phase is fresh: it expires while that phase is under way. */
export const STALE_PHASE_TTL = 1500
/** ms over which the requests of the third phase are spread. */
export const STALE_PHASE_LENGTH = 2000
