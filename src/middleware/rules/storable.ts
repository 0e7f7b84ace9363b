import type { CacheControl } from './cache-control.ts'
import { isEventStream } from './event-stream.ts'
import type { FieldMap } from './fields.ts'
import { heuristicLifetime, initialAge, statedLifetime } from './freshness.ts'
import { instructionsOf } from './targeted-fields.ts'
import { varyFields } from './vary.ts'

/** What decides about a request whether others may get the answer to it. */
export interface Asked {
  readonly authorization: boolean
  /** The request has cookies, and no option says that they do not matter. */
  readonly cookie: boolean
  /** The handler has seen a Last-Event-ID: an event stream may begin in the middle. */
  readonly resumes: boolean
  /** Wall clock, ms. */
  readonly at: number
}

/** What the options say of responses; times in ms. */
export interface Policy {
  readonly ttl: number | undefined
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly targetedFields: readonly string[]
  readonly heuristicFreshness: boolean
  /** `must-revalidate` is enough to share an answer to a request with Authorization: RFC 9111 section 3.5. */
  readonly shareMustRevalidate: boolean
  /** Event streams are shared like any response. */
  readonly shareEventStreams: boolean
  /** Lower-case names of request fields on which responses vary without saying so. */
  readonly alsoVaries: readonly string[]
  /** Why no response is for others at all. */
  readonly unshareable: string | undefined
}

export interface Answered {
  readonly status: number
  readonly fields: FieldMap
  /** Wall clock, ms. */
  readonly at: number
}

/** Times in ms. Both windows count from the end of freshness (RFC 5861). */
export interface Lifetime {
  /** How old the response was when it came. */
  readonly age: number
  /** From `age` 0 to the end of freshness. */
  readonly freshness: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
}

export type Verdict =
  | {
      readonly share: true
      readonly lifetime: Lifetime
      /** It is kept, but before each reuse the handler must say that it is still good. */
      readonly mustValidate: boolean
      /** Others may have it even if the request has credentials: RFC 9111 section 3.5. */
      readonly explicit: boolean
      /** Lower-case names of the fields that the response itself forbids to store or reuse. */
      readonly withheld: readonly string[]
      readonly vary: readonly string[]
    }
  | {
      readonly share: false
      readonly reason: string
      /**
       * Whether the next answer is likely to be of the same kind. Then requests should not wait for one another. An error
       * says nothing about the next answer.
       */
      readonly lasting: boolean
    }

export type Shared = Extract<Verdict, { share: true }>

/** For a response that is sent once and never again. */
export const ONLY_NOW: Shared = {
  share: true,
  lifetime: { age: 0, freshness: 0, staleWhileRevalidate: 0, staleIfError: 0 },
  mustValidate: true,
  explicit: false,
  withheld: [],
  vary: [],
}

/** Final statuses whose meaning for a cache is known here: for must-understand, RFC 9111 section 5.2.2.3. */
const UNDERSTOOD = new Set([200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 414, 501])

/** Statuses that mean the same for some time. Errors about a single request are left out on purpose. */
export const DEFAULT_TTL_STATUSES: ReadonlySet<number> = new Set([200, 203, 204, 300, 301, 308, 404, 410])

/** Statuses for which RFC 9110 section 15.1 allows heuristics. These need a Last-Modified, which errors rarely have. */
const HEURISTIC_STATUSES = new Set([...DEFAULT_TTL_STATUSES, 405, 414, 501])

/**
 * Decides by the header of a response whether others may have it: RFC 9111 section 3 for a shared cache. It is stricter
 * where HTTP caches leak in practice (Set-Cookie, Cookie).
 */
export function judge(asked: Asked, answered: Answered, settings: Policy): Verdict {
  const { fields, status } = answered
  // Errors say nothing about the next answer, and fetch's own have no status at all.
  const no = (reason: string): Verdict => ({ share: false, reason, lasting: status >= 200 && status < 400 })
  const { control, targeted } = instructionsOf(fields, settings.targetedFields)
  if (settings.unshareable !== undefined) return no(settings.unshareable)
  if (status < 200 || status === 206 || status === 304) return no('status')
  if (control.mustUnderstand && !UNDERSTOOD.has(status)) return no('must-understand')
  if (control.noStore && !control.mustUnderstand) return no('no-store')
  if (control.private === true) return no('private')
  if (control.noCache === true && !canBeValidated(answered)) return no('no-cache')
  if (!targeted && surrogatesMustNotStore(fields)) return no('no-store')
  const withheld = namesWithheld(control)
  for (const name of ['set-cookie', 'set-cookie2']) {
    if (fields.has(name) && !withheld.includes(name)) return no(name)
  }
  const isPublic = control.public || control.sharedMaxAge !== undefined
  if (asked.cookie && !isPublic) return no('cookie')
  const isExplicit = isPublic || (asked.authorization && control.mustRevalidate && settings.shareMustRevalidate)
  if (asked.authorization && !isExplicit) return no('authorization')
  const vary = varyFields([...fields.lines('vary'), ...settings.alsoVaries].join(','))
  if (vary === undefined) return no('vary')
  if (hasNonce(fields)) return no('csp-nonce')
  // Stored responses have no trailers, and a handler that sends some needs them.
  if (fields.has('trailer')) return no('trailer')
  const statesAge = (control.sharedMaxAge ?? control.maxAge) !== undefined
  if (isEventStream(fields.get('content-type'))) {
    // It may be endless, and frameworks set their own Cache-Control. So the handler must address shared caches.
    const isForOthers = targeted ? statesAge : control.sharedMaxAge !== undefined
    if (!settings.shareEventStreams && !isForOthers) return no('event-stream')
    if (asked.resumes) return { share: false, reason: 'last-event-id', lasting: false }
  }

  const stated = targeted && !statesAge ? undefined : statedLifetime(control, fields, answered.at)
  const freshness = control.noCache === true ? 0 : (stated ?? unstatedLifetime(answered, control.public, settings))
  if (freshness === undefined) return no('no-freshness')
  const mustNotBeStale = control.mustRevalidate || control.proxyRevalidate || control.noCache === true
  const byDefault = stated === undefined ? settings : { staleWhileRevalidate: 0, staleIfError: 0 }
  const window = (stated: number | undefined, otherwise: number) =>
    mustNotBeStale ? 0 : stated !== undefined ? stated * 1000 : otherwise
  const lifetime: Lifetime = {
    age: initialAge(fields, asked.at, answered.at),
    freshness,
    staleWhileRevalidate: window(control.staleWhileRevalidate, byDefault.staleWhileRevalidate),
    staleIfError: window(control.staleIfError, byDefault.staleIfError),
  }
  const mustValidate = lifetime.age >= freshness + lifetime.staleWhileRevalidate
  if (mustValidate && !(canBeValidated(answered) && Number.isFinite(lifetime.age))) return no('stale')
  return { share: true, lifetime, mustValidate, explicit: isExplicit, withheld, vary }
}

/** Whether a handler could be asked about it by If-None-Match or If-Modified-Since. */
function canBeValidated({ status, fields }: Answered): boolean {
  return status === 200 && (fields.has('etag') || fields.has('last-modified'))
}

/** Freshness if the handler states none: by the `ttl` option, or by heuristics if they are switched on. */
function unstatedLifetime(answered: Answered, isPublic: boolean, settings: Policy): number | undefined {
  if (settings.ttl !== undefined && DEFAULT_TTL_STATUSES.has(answered.status)) return settings.ttl
  if (!settings.heuristicFreshness) return undefined
  if (!HEURISTIC_STATUSES.has(answered.status) && !isPublic) return undefined
  return heuristicLifetime(answered.fields, answered.at)
}

/** Whether the page's scripts run only with the nonce of this one answer. */
function hasNonce(fields: FieldMap): boolean {
  return POLICIES.some((name) => fields.get(name)?.toLowerCase().includes("'nonce-") === true)
}

const POLICIES = ['content-security-policy', 'content-security-policy-report-only']

/** Surrogate-Control need not be among the fields that count. Its no-store is still obeyed. */
function surrogatesMustNotStore(fields: FieldMap): boolean {
  const { control, targeted } = instructionsOf(fields, ['surrogate-control'])
  return targeted && control.noStore
}

/** Lower-case names of the fields that a response itself forbids to store or reuse. */
export function withheldBy(fields: FieldMap, targetedFields: readonly string[]): readonly string[] {
  return namesWithheld(instructionsOf(fields, targetedFields).control)
}

function namesWithheld(control: CacheControl): readonly string[] {
  return [...namesIn(control.private), ...namesIn(control.noCache)]
}

function namesIn(restriction: boolean | readonly string[]): readonly string[] {
  return typeof restriction === 'boolean' ? [] : restriction
}
