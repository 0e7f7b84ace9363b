import type { RequestFields } from '../rules/fields.ts'

/** Request fields that ask for less than the whole response. A fill must never see those of the client. */
export const NARROWING = ['if-none-match', 'if-modified-since', 'if-range', 'range'] as const

/** Whether and how a request asks for less, as it came: handlers and fills change its fields. */
export function narrowingRequest({ method, headers }: { method?: string | undefined; headers: RequestFields }): {
  readonly narrowing: RequestFields
  readonly narrowed: boolean
  readonly isHead: boolean
} {
  const narrowed = isNarrowed(headers)
  return { narrowing: narrowed ? narrowingOf(headers) : {}, narrowed, isHead: method === 'HEAD' }
}

function narrowingOf(headers: RequestFields): RequestFields {
  return Object.fromEntries(NARROWING.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])))
}

function isNarrowed(headers: RequestFields): boolean {
  return NARROWING.some((name) => headers[name] !== undefined)
}

/** The fields of a request that ask whether a stored response with those validators is still right: RFC 9111, section 4.3.1. */
export function validatingFields(
  stored: { readonly etag?: string | undefined; readonly lastModified?: string | undefined } | undefined,
): Array<readonly [name: string, value: string]> {
  const fields: Array<readonly [name: string, value: string]> = []
  if (stored?.etag !== undefined) fields.push(['If-None-Match', stored.etag])
  if (stored?.lastModified !== undefined) fields.push(['If-Modified-Since', stored.lastModified])
  return fields
}
