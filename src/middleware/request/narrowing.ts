import type { RequestFields } from '../rules/fields.ts'

/** Request fields that ask for less than the whole response. A fill must never see those of the client. */
export const NARROWING = ['if-none-match', 'if-modified-since', 'if-range', 'range'] as const

/** The fields that handlers must not see in a run for others. */
export function hiddenFields({ shareEventStreams }: { shareEventStreams: boolean }): readonly string[] {
  return shareEventStreams ? [...NARROWING, LAST_EVENT_ID] : NARROWING
}

/** Names the event after which a client wants an event stream to go on. */
const LAST_EVENT_ID = 'last-event-id'

/** Whether and how a request asks for less. Read as it came, because handlers and fills change its fields. */
export function narrowingRequest({ method, headers }: { method?: string | undefined; headers: RequestFields }): {
  readonly narrowing: RequestFields
  readonly narrowed: boolean
  readonly isHead: boolean
  readonly lastEventId: string | undefined
} {
  const narrowed = isNarrowed(headers)
  const narrowing = narrowed ? narrowingOf(headers) : {}
  return { narrowing, narrowed, isHead: method === 'HEAD', lastEventId: textOf(headers[LAST_EVENT_ID]) }
}

function textOf(value: RequestFields[string]): string | undefined {
  return typeof value === 'string' ? value : value?.[0]
}

function narrowingOf(headers: RequestFields): RequestFields {
  return Object.fromEntries(NARROWING.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])))
}

function isNarrowed(headers: RequestFields): boolean {
  return NARROWING.some((name) => headers[name] !== undefined)
}

/** The request fields that ask whether a stored response with these validators is still good: RFC 9111 section 4.3.1. */
export function validatingFields(
  stored: { readonly etag?: string | undefined; readonly lastModified?: string | undefined } | undefined,
): Array<readonly [name: string, value: string]> {
  const fields: Array<readonly [name: string, value: string]> = []
  if (stored?.etag !== undefined) fields.push(['If-None-Match', stored.etag])
  if (stored?.lastModified !== undefined) fields.push(['If-Modified-Since', stored.lastModified])
  return fields
}
