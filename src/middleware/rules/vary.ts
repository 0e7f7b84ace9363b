import type { IncomingHttpHeaders } from 'node:http'

/** More fields than this in a Vary select nothing in practice but a copy for each client. */
const MAX_FIELDS = 16

/**
 * The names in a Vary field, in lower case, sorted, without repetition; undefined if no other request can ever match
 * (RFC 9111 section 4.1: a member `*`), or if they are too many.
 */
export function varyFields(value: string | undefined): readonly string[] | undefined {
  if (value === undefined) return []
  const names = new Set<string>()
  for (const member of value.toLowerCase().split(',')) {
    const name = member.trim()
    if (name === '*') return undefined
    if (name !== '') names.add(name)
  }
  return names.size > MAX_FIELDS ? undefined : [...names].toSorted()
}

/** Names of `first` and `second` together; undefined if they are too many. */
export function joinedFields(first: readonly string[], second: readonly string[]): readonly string[] | undefined {
  return varyFields([...first, ...second].join(','))
}

/** Fields whose values are tokens in which case means nothing. */
const CASE_INSENSITIVE = new Set(['accept-encoding', 'accept-language'])

/**
 * What a request says in one of the fields that a response varies on, brought into the form in which equal meanings are
 * equal (RFC 9111 section 4.1): lines combined, white space around commas gone. Undefined: the field is absent.
 */
export function selectingValue(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  if (value === undefined) return undefined
  const joined = Array.isArray(value) ? value.join(',') : value
  const tidy = joined.trim().replaceAll(/[ \t]*,[ \t]*/g, ',')
  return CASE_INSENSITIVE.has(name) ? tidy.toLowerCase() : tidy
}

/** Appends to a key what the request says in `names`, so that absent, empty and every value stay apart. */
export function selectingKey(headers: IncomingHttpHeaders, names: readonly string[]): string {
  let key = ''
  for (const name of names) {
    const value = selectingValue(headers, name)
    key += value === undefined ? '-' : `${value.length}:${value}`
  }
  return key
}
