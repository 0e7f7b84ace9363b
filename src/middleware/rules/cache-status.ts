/** The name under which this cache appears in Cache-Status (RFC 9211). */
const NAME = 'herdlock'

/** `fwd` reasons of RFC 9211 section 2.2 that occur here. */
export type ForwardReason = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'stale' | 'request'

export interface Forwarded {
  readonly reason: ForwardReason
  readonly status?: number
  readonly stored?: boolean
  readonly collapsed?: boolean
  /** A token that says more, such as why the response is not shared. */
  readonly detail?: string
}

/** The member for an answer from the store. `freshFor`: ms, negative if stale. `before`: members of other caches. */
export function cacheStatusHit(freshFor: number, before: string | undefined): string {
  return appended(before, `${NAME}; hit; ttl=${Math.floor(freshFor / 1000)}`)
}

/** The member for an answer that came from a handler. */
export function cacheStatusForward(forwarded: Forwarded, before: string | undefined): string {
  let member = `${NAME}; fwd=${forwarded.reason}`
  if (forwarded.status !== undefined) member += `; fwd-status=${forwarded.status}`
  if (forwarded.stored) member += '; stored'
  if (forwarded.collapsed) member += '; collapsed'
  if (forwarded.detail !== undefined) member += `; detail=${forwarded.detail}`
  return appended(before, member)
}

function appended(before: string | undefined, member: string): string {
  return before === undefined || before === '' ? member : `${before}, ${member}`
}
