import { wrongType } from '../../errors.ts'
import { cookieValues } from './cookies.ts'
import { parseForwarded } from './forwarded.ts'
import { edgeScheme, hostOf } from './origin.ts'
import { keyedUrl, type QueryRules } from './query.ts'
import { fieldOf, type RequestView } from './request-view.ts'

/**
 * Request fields that change, in some frameworks or behind some proxies, what a handler takes the URL to be. Whoever may
 * set them could otherwise have a page about their own host stored for everybody.
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

/** Options that say what a key is made of. */
export interface KeyRules<Native> extends QueryRules {
  readonly key: ((request: Native) => string | undefined) | undefined
  readonly keyHeaders: readonly string[]
  readonly allowCookies: readonly string[] | undefined
}

/**
 * What a response is stored under, without its method: scheme, host and URL byte for byte, then the fields that
 * override them. Every part carries its length, so that no input can pass for another. Undefined: not to be cached.
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
/** What of the rules counts where an option `key` does not take the URL's place. */
type UrlRules = Omit<KeyRules<never>, 'key'>

/** The same for a request of HTTP/1 with this Host and no other field that counts. */
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

/** What HTTP/2 may say twice, where the two differ: the host in `:authority` and in Host, the scheme in `:scheme`. */
function otherNames({ headers, isEncrypted }: RequestView<unknown>): string {
  const host = fieldOf(headers, 'host')
  const scheme = headers[':scheme']
  let names = ''
  if (host !== undefined && host !== hostOf(headers)) names += `a${part(host)}`
  if (typeof scheme === 'string' && scheme !== (isEncrypted ? 'https' : 'http')) names += `c${part(scheme)}`
  return names
}

/** Whether a layer outside has put another URL in the place of the one that came, rather than taken its mount path off. */
function isRewritten({ url, target, mount }: Located): boolean {
  if (target === url) return false
  // Express says where it is mounted; under Connect what is left must be the end of what came.
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
