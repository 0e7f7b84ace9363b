import { wrongType } from '../../errors.ts'
import { cookieValues } from './cookies.ts'
import { parseForwarded } from './forwarded.ts'
import { edgeScheme, hostOf } from './origin.ts'
import { keyedUrl, type QueryRules } from './query.ts'
import { fieldOf, type RequestView } from './request-view.ts'

/**
 * Request fields that change the URL that a handler sees, in some frameworks or behind some proxies. If they were not in
 * the key, a client that sets them could have a page about its own host stored for everybody.
 */
export const OVERRIDES = [
  'forwarded',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-proto',
  'x-forwarded-scheme',
  'x-forwarded-server',
  'x-forwarded-ssl',
  'x-host',
  'x-original-host',
  'x-original-url',
  'x-rewrite-url',
] as const

/** Options that say what a key consists of. */
export interface KeyRules<Native> extends QueryRules {
  readonly key: ((request: Native) => string | undefined) | undefined
  readonly keyHeaders: readonly string[]
  readonly allowCookies: readonly string[] | undefined
}

/**
 * The key of a response, without its method: scheme, host and URL byte for byte, then the fields that override them. Every
 * part carries its length, so that different inputs never make the same key. Undefined: the request is not for the cache.
 */
export function resourceKey<Native>(request: RequestView<Native>, rules: KeyRules<Native>): string | undefined {
  const { headers } = request
  let key: string
  if (rules.key === undefined) {
    key = urlKey(request, hostOf(headers), edgeScheme(request), rules) + otherNames(request)
  } else {
    const custom = rules.key(request.native)
    if (custom === undefined) return undefined
    if (typeof custom !== 'string') throw wrongType('the result of key', 'a string or undefined', custom)
    key = `k${part(custom)}`
  }
  for (const name of OVERRIDES) {
    const value = name === 'forwarded' ? parseForwarded(fieldOf(headers, name)).telling : headers[name]
    if (value !== undefined) key += `${part(name)}${part(String(value))}`
  }
  for (const name of rules.keyHeaders) {
    const value = headers[name]
    key += value === undefined ? ABSENT : part(String(value))
  }
  if (rules.allowCookies === undefined) return key
  for (const value of cookieValues(fieldOf(headers, 'cookie'), rules.allowCookies)) {
    key += value === undefined ? ABSENT : part(value)
  }
  return key
}

type Located = Pick<RequestView<unknown>, 'isEncrypted' | 'target' | 'url' | 'mount'>
/** The rules that count if no option `key` replaces the URL. */
type UrlRules = Omit<KeyRules<never>, 'key'>

/** The same key, for an HTTP/1 request with this Host and no other field that counts. */
export function plainKey(request: Located, host: string, rules: UrlRules): string {
  const key = urlKey(request, host, request.isEncrypted ? 'https' : 'http', rules)
  return rules.allowCookies === undefined ? key : key + ABSENT.repeat(rules.allowCookies.length)
}

const ABSENT = '-'

function urlKey(request: Located, host: string, scheme: 'http' | 'https' | undefined, rules: QueryRules): string {
  const { isEncrypted, target, url } = request
  const key = `${isEncrypted ? 's' : 'h'}${part(normalHost(host, scheme))}${part(keyedUrl(target, rules))}`
  return isRewritten(request) ? `${key}u${part(keyedUrl(url, rules))}` : key
}

/** What HTTP/2 may say twice, if the two differ: the host in `:authority` and in Host, the scheme in `:scheme`. */
function otherNames({ headers, isEncrypted }: RequestView<unknown>): string {
  const host = fieldOf(headers, 'host')
  const scheme = headers[':scheme']
  let names = ''
  if (host !== undefined && host !== hostOf(headers)) names += `a${part(host)}`
  if (typeof scheme === 'string' && scheme !== (isEncrypted ? 'https' : 'http')) names += `c${part(scheme)}`
  return names
}

/** Whether an outer layer has replaced the URL, and not only cut off its mount path. */
function isRewritten({ url, target, mount }: Located): boolean {
  if (target === url) return false
  // Express says where it is mounted. Under Connect, the rest must be the end of the original URL.
  if (mount === undefined) return url === '/' || !target.endsWith(withoutSlash(url))
  if (!target.startsWith(mount)) return true
  const rest = target.slice(mount.length)
  return rest !== url && (rest.startsWith('/') || rest !== url.slice(1))
}

/** `?x` of `/?x`: frameworks put the slash before a query that follows the mount path. */
export function withoutSlash(url: string): string {
  return url.startsWith('/?') ? url.slice(1) : url
}

function normalHost(host: string, scheme: 'http' | 'https' | undefined): string {
  const lower = host.toLowerCase()
  const defaultPort = scheme === 'https' ? ':443' : ':80'
  return scheme !== undefined && lower.endsWith(defaultPort) ? lower.slice(0, -defaultPort.length) : lower
}

function part(text: string): string {
  return `${text.length}:${text}`
}
