import { type InnerList, type Item, parseDictionary, parseList, Token } from 'structured-headers'

import { type CacheControl, cacheControlOf, type Directive, parseCacheControl } from './cache-control.ts'
import type { FieldMap } from './fields.ts'
import { splitUnquoted } from './grammar.ts'

/** What the response says to this cache, and whether a field addressed to caches like it said so. */
export interface Instructions {
  readonly control: CacheControl
  /** With a targeted field, Cache-Control and Expires do not count: RFC 9213 section 2.1. */
  readonly targeted: boolean
}

/**
 * Finds the directives that count, RFC 9213: the first of `targetedFields` that is present, well-formed and not empty,
 * else Cache-Control. `targetedFields` are names in lower case.
 */
export function instructionsOf(fields: FieldMap, targetedFields: readonly string[]): Instructions {
  for (const name of targetedFields) {
    const value = fields.get(name)
    if (value === undefined) continue
    const control = name === 'surrogate-control' ? surrogateControl(value) : targetedControl(value)
    if (control !== undefined) return { control, targeted: true }
  }
  return { control: parseCacheControl(fields.get('cache-control')), targeted: false }
}

function targetedControl(value: string): CacheControl | undefined {
  let members: Map<string, Item | InnerList>
  try {
    members = parseDictionary(value)
  } catch {
    return undefined
  }
  if (members.size === 0) return undefined
  const list: Directive[] = []
  for (const [name, [bare]] of members) {
    if (!hasItsType(name, bare)) return undefined
    // A flag that is false counts as not set.
    if (bare !== false) list.push(directive(name, bare))
  }
  return cacheControlOf(list)
}

const INTEGERS = new Set(['max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error'])
const FLAGS = new Set(['no-store', 'public', 'must-revalidate', 'proxy-revalidate', 'must-understand'])
const RESTRICTIONS = new Set(['no-cache', 'private'])

/** Whether a directive that is known here has the Structured Type that it must have: RFC 9213 section 2.1. */
function hasItsType(name: string, bare: unknown): boolean {
  if (INTEGERS.has(name)) return Number.isInteger(bare)
  if (FLAGS.has(name)) return typeof bare === 'boolean'
  if (RESTRICTIONS.has(name)) return typeof bare === 'boolean' || typeof bare === 'string' || bare instanceof Token
  return true
}

function directive(name: string, bare: unknown): Directive {
  if (bare === true) return [name, true]
  if (typeof bare === 'number' && bare >= 0) return [name, String(bare)]
  if (bare instanceof Token) return [name, bare.toString()]
  return [name, typeof bare === 'string' ? bare : undefined]
}

/** The name by which a directive of Surrogate-Control may address this cache alone. */
const SURROGATE_NAME = 'herdlock'

/** What a request's Surrogate-Capability says of this cache, if it obeys Surrogate-Control. */
const SURROGATE_CAPABILITY: string = `${SURROGATE_NAME}="Surrogate/1.0"`

export function capabilityOf({ targetedFields }: { targetedFields: readonly string[] }): string | undefined {
  return targetedFields.includes('surrogate-control') ? SURROGATE_CAPABILITY : undefined
}

/**
 * Surrogate-Control is older than Structured Fields and not one of them. By the Edge Architecture note, each directive may
 * name the surrogate that it is meant for. Those for others are left out. Undefined if it says nothing about storing: many
 * servers send `content="ESI/1.0"` together with a Cache-Control that counts.
 */
function surrogateControl(value: string): CacheControl | undefined {
  const forUs: string[] = []
  for (const member of splitUnquoted(value, ',').members) {
    const [directiveText = '', target] = splitUnquoted(member, ';').members
    if (target === undefined || target === SURROGATE_NAME) forUs.push(directiveText)
  }
  const control = parseCacheControl(forUs.join(','))
  const hasFreshness = (control.sharedMaxAge ?? control.maxAge) !== undefined
  const forbids = control.noStore || control.private !== false || control.noCache !== false
  return hasFreshness || forbids ? control : undefined
}

/** The groups of a Cache-Groups or Cache-Group-Invalidation field, RFC 9875. Only strings in a valid list count. */
export function parseGroups(value: string | undefined): readonly string[] {
  if (value === undefined) return []
  try {
    return parseList(value).flatMap(([bare]) => (typeof bare === 'string' && bare !== '' ? [bare] : []))
  } catch {
    return []
  }
}
