/** The directives of one Cache-Control field that a shared cache acts upon, RFC 9111 section 5.2 and RFC 5861. */
export interface CacheControl {
  /** Seconds. A malformed value is 0: RFC 9111 section 4.2.1 asks to take it as stale. */
  readonly maxAge: number | undefined
  readonly sharedMaxAge: number | undefined
  readonly staleWhileRevalidate: number | undefined
  readonly staleIfError: number | undefined
  /** `true` alone, or the lower-case names of the fields that it is restricted to. */
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

/** The longest time that is told apart, in seconds (RFC 9111 section 1.2.2): 68 years. */
const MAX_DELTA_SECONDS = 2 ** 31 - 1

/** Nothing said. */
const NO_DIRECTIVES: CacheControl = cacheControlOf([])

/** Parses the value of a Cache-Control field; lines of the same field are joined with commas before. */
export function parseCacheControl(value: string | undefined): CacheControl {
  return value === undefined || value === '' ? NO_DIRECTIVES : cacheControlOf(directives(value))
}

/** Builds the same view from directives that were parsed otherwise (targeted fields are Structured Fields). */
export function cacheControlOf(list: Iterable<Directive>): CacheControl {
  let maxAge: number | undefined
  let sharedMaxAge: number | undefined
  let staleWhileRevalidate: number | undefined
  let staleIfError: number | undefined
  let noCache: boolean | readonly string[] = false
  let isPrivate: boolean | readonly string[] = false
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
        flags.add(name)
    }
  }
  return {
    maxAge,
    sharedMaxAge,
    staleWhileRevalidate,
    staleIfError,
    noCache,
    private: isPrivate,
    noStore: flags.has('no-store'),
    public: flags.has('public'),
    mustRevalidate: flags.has('must-revalidate'),
    proxyRevalidate: flags.has('proxy-revalidate'),
    mustUnderstand: flags.has('must-understand'),
    onlyIfCached: flags.has('only-if-cached'),
  }
}

/** Splits at the commas outside quoted strings. */
function splitList(value: string): string[] {
  const members: string[] = []
  let start = 0
  let quoted = false
  for (let index = 0; index < value.length; index++) {
    const character = value[index]
    if (quoted) {
      if (character === '\\') index++
      else if (character === '"') quoted = false
    } else if (character === '"') quoted = true
    else if (character === ',') {
      members.push(value.slice(start, index).trim())
      start = index + 1
    }
  }
  members.push(value.slice(start).trim())
  // What an unbalanced quote has swallowed could be the directive that forbids to share.
  if (quoted) members.push('no-store')
  return members.filter((member) => member !== '')
}

function* directives(value: string): Iterable<Directive> {
  for (const member of splitList(value)) {
    const equals = member.indexOf('=')
    if (equals < 0) {
      yield [member.toLowerCase(), true]
      continue
    }
    const name = member.slice(0, equals)
    const argument = member.slice(equals + 1)
    const malformed = name !== name.trimEnd() || argument !== argument.trimStart()
    yield [name.trimEnd().toLowerCase(), malformed ? undefined : unquoted(argument)]
  }
}

function unquoted(argument: string): string | undefined {
  if (!argument.startsWith('"')) return argument
  if (argument.length < 2 || !argument.endsWith('"')) return undefined
  return argument.slice(1, -1).replaceAll(/\\(.)/g, '$1')
}

function deltaSeconds(argument: string | true | undefined): number {
  if (typeof argument !== 'string' || !/^\d+$/.test(argument)) return 0
  return Math.min(Number(argument), MAX_DELTA_SECONDS)
}

/** Of a repeated directive the strictest counts. */
function least(first: number | undefined, second: number): number {
  return first === undefined ? second : Math.min(first, second)
}

function restricted(
  before: boolean | readonly string[],
  argument: string | true | undefined,
): boolean | readonly string[] {
  if (before === true || typeof argument !== 'string') return true
  const names = argument.toLowerCase().split(',')
  const fields = names.map((name) => name.trim()).filter((name) => name !== '')
  if (fields.length === 0) return true
  return before === false ? fields : [...before, ...fields]
}
