import type { RequestFields } from './fields.ts'
import { isToken, splitUnquoted, trimBlanks } from './grammar.ts'

/** With more fields than this, Vary in practice selects a copy for each client. */
const MAX_FIELDS = 16

/**
 * The names in a Vary field, in lower case, sorted, without repetition. Undefined if no other request can ever match (a
 * member `*`: RFC 9111 section 4.1), if a member is no name and may mean anything, or if there are too many.
 */
export function varyFields(value: string | undefined): readonly string[] | undefined {
  if (value === undefined) return []
  const names = new Set<string>()
  for (const member of value.toLowerCase().split(',')) {
    const name = trimBlanks(member)
    if (name === '') continue
    // Node's headers cannot hold a field with the last name.
    if (name === '*' || !isToken(name) || name === '__proto__') return undefined
    names.add(name)
  }
  return names.size > MAX_FIELDS ? undefined : [...names].toSorted()
}

/** Names of `first` and `second` together. Undefined if there are too many. */
export function joinedFields(first: readonly string[], second: readonly string[]): readonly string[] | undefined {
  return varyFields([...first, ...second].join(','))
}

/** Fields whose values are tokens without regard to case. */
const CASE_INSENSITIVE = new Set(['accept-encoding', 'accept-language'])

/**
 * What a request says in a field that a response varies on, in a form in which equal meanings are equal (RFC 9111 section
 * 4.1): lines are joined, white space around commas is removed. Undefined: the field is absent.
 */
export function selectingValue(headers: RequestFields, name: string): string | undefined {
  const value = headers[name]
  // `constructor` is a name too, and Node's headers inherit that of every object.
  if (value === undefined || typeof value === 'function') return undefined
  const tidy = tidyList(typeof value === 'string' ? value : value.join(','))
  return CASE_INSENSITIVE.has(name) ? tidy.toLowerCase() : tidy
}

function tidyList(value: string): string {
  if (!value.includes(',')) return trimBlanks(value)
  return splitUnquoted(value, ',').members.join(',')
}

/** The part of a key for what the request says in `names`. Absent, empty and all different values stay apart. */
export function selectingKey(headers: RequestFields, names: readonly string[]): string {
  let key = ''
  for (const name of names) {
    const value = selectingValue(headers, name)
    key += value === undefined ? '-' : `${value.length}:${value}`
  }
  return key
}

/** The members of several Vary fields in one, each once. */
export function unitedVary(values: readonly string[]): string {
  const members = new Map<string, string>()
  for (const member of values.join(',').split(',')) {
    const name = trimBlanks(member)
    if (name !== '' && !members.has(name.toLowerCase())) members.set(name.toLowerCase(), name)
  }
  return [...members.values()].join(', ')
}
