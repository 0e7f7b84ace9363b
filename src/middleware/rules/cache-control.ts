import { isDigits, isToken, splitUnquoted, tokensIn, trimBlanks, valueOf } from './grammar.ts'

/** The directives of one Cache-Control field that a shared cache acts upon, RFC 9111 section 5.2 and RFC 5861. */
export interface CacheControl {
  /** Seconds. A malformed value is 0: RFC 9111 section 4.2.1 asks to take it as stale. */
  readonly maxAge: number | undefined
  readonly sharedMaxAge: number | undefined
  readonly staleWhileRevalidate: number | undefined
  readonly staleIfError: number | undefined
  /** `true`, or the lower-case names of the fields that it is restricted to. */
  readonly noCache: boolean | readonly string[]
  readonly private: boolean | readonly string[]
  readonly noStore: boolean
  readonly public: boolean
  readonly mustRevalidate: boolean
  readonly proxyRevalidate: boolean
  readonly mustUnderstand: boolean
  readonly onlyIfCached: boolean
}

/** A directive's name in lower case, and its argument: `true` if it has none, `undefined` if it is malformed. */
export type Directive = readonly [name: string, argument: string | true | undefined]

/** Longer times count as this one, in seconds (RFC 9111 section 1.2.2): 68 years. */
export const MAX_DELTA_SECONDS: number = 2 ** 31 - 1

/** For a field that is absent. */
const NO_DIRECTIVES: CacheControl = cacheControlOf([])

/** Parses the value of a Cache-Control field. Its lines must already be joined with commas. */
export function parseCacheControl(value: string | undefined): CacheControl {
  return value === undefined || value === '' ? NO_DIRECTIVES : cacheControlOf(directives(value))
}

/** Builds the same view from directives that were parsed in another way (targeted fields are Structured Fields). */
export function cacheControlOf(list: Iterable<Directive>): CacheControl {
  let maxAge: number | undefined
  let sharedMaxAge: number | undefined
  let staleWhileRevalidate: number | undefined
  let staleIfError: number | undefined
  let noCache: boolean | string[] = false
  let isPrivate: boolean | string[] = false
  let isDoubtful = false
  const flags = new Set<string>()
  for (const [name, argument] of list) {
    switch (name) {
      case 'max-age':
        maxAge = least(maxAge, deltaSeconds(argument))
        break
      case 's-maxage':
        sharedMaxAge = least(sharedMaxAge, deltaSeconds(argument))
        break
      case 'stale-while-revalidate':
        staleWhileRevalidate = least(staleWhileRevalidate, deltaSeconds(argument))
        break
      case 'stale-if-error':
        staleIfError = least(staleIfError, deltaSeconds(argument))
        break
      case 'no-cache':
        noCache = restricted(noCache, argument)
        break
      case 'private':
        isPrivate = restricted(isPrivate, argument)
        break
      default:
        if (argument !== undefined || name.endsWith('-revalidate')) flags.add(name)
        else if (name === 'no-store') isDoubtful = true
    }
  }
  return {
    maxAge,
    sharedMaxAge,
    staleWhileRevalidate,
    staleIfError,
    noCache,
    private: isPrivate,
    noStore: isDoubtful || flags.has('no-store'),
    public: flags.has('public'),
    mustRevalidate: flags.has('must-revalidate'),
    proxyRevalidate: flags.has('proxy-revalidate'),
    // It replaces a no-store that was meant to go with it, not a malformed one that may mean anything.
    mustUnderstand: !isDoubtful && flags.has('must-understand'),
    onlyIfCached: flags.has('only-if-cached'),
  }
}

/** Words that forbid or restrict. A malformed member with one of them may have been meant as that word. */
const FORBIDDING: ReadonlySet<string> = new Set(['no-store', 'private', 'no-cache'])

function* directives(value: string): Iterable<Directive> {
  const { members, unbalanced } = splitUnquoted(value, ',')
  // An unbalanced quote may hide a directive that forbids sharing.
  if (unbalanced) yield ['no-store', undefined]
  for (const member of members) {
    if (member === '') continue
    const equals = member.indexOf('=')
    const name = (equals < 0 ? member : member.slice(0, equals)).toLowerCase()
    const argument = equals < 0 ? true : valueOf(member.slice(equals + 1))
    if (argument !== undefined && isToken(name)) {
      yield [name, argument]
      continue
    }
    yield [trimBlanks(name), undefined]
    for (const word of tokensIn(member.toLowerCase())) if (FORBIDDING.has(word)) yield [word, undefined]
  }
}

function deltaSeconds(argument: string | true | undefined): number {
  if (typeof argument !== 'string' || !isDigits(argument)) return 0
  return Math.min(Number(argument), MAX_DELTA_SECONDS)
}

/** Of a repeated directive, the strictest counts. */
function least(first: number | undefined, second: number): number {
  return first === undefined ? second : Math.min(first, second)
}

/** The fields that a directive is restricted to, added to those before. `true` if it counts for the whole response. */
function restricted(before: boolean | string[], argument: string | true | undefined): boolean | string[] {
  if (before === true || typeof argument !== 'string') return true
  const names = argument
    .toLowerCase()
    .split(',')
    .map(trimBlanks)
    .filter((name) => name !== '')
  if (names.length === 0 || !names.every(isToken)) return true
  if (before === false) return names
  for (const name of names) before.push(name)
  return before
}
