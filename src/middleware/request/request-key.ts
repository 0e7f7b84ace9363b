import type { IncomingMessage } from 'node:http'

import { wrongType } from '../../errors.ts'
import { cookieValues } from './cookies.ts'
import { edgeScheme, hostOf, isEncrypted, type RoutedRequest } from './edge.ts'
import { parseForwarded } from './forwarded.ts'
import { keyedUrl, type QueryRules } from './query.ts'

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
export interface KeyRules extends QueryRules {
  readonly key: ((req: IncomingMessage) => string | undefined) | undefined
  readonly keyHeaders: readonly string[]
  readonly allowCookies: readonly string[] | undefined
}

/**
 * What a response is stored under, without its method: scheme, host and URL byte for byte, then the fields that
 * override them. Every part carries its length, so that no input can pass for another. Undefined: not to be cached.
 */
export function resourceKey(req: RoutedRequest, rules: KeyRules): string | undefined {
  const { headers } = req
  let key: string
  if (rules.key === undefined) {
    key = urlKey(req, hostOf(req), edgeScheme(req), rules) + otherNames(req)
  } else {
    const custom = rules.key(req)
    if (custom === undefined) return undefined
    if (typeof custom !== 'string') throw wrongType('the result of key', 'a string or undefined', custom)
    key = `k${part(custom)}`
  }
  for (const name of OVERRIDES) {
    const value = name === 'forwarded' ? parseForwarded(headers.forwarded).telling : headers[name]
    if (value !== undefined) key += `${part(name)}${part(String(value))}`
  }
  for (const name of rules.keyHeaders) {
    const value = headers[name]
    key += value === undefined ? ABSENT : part(String(value))
  }
  if (rules.allowCookies === undefined) return key
  for (const value of cookieValues(headers.cookie, rules.allowCookies)) {
    key += value === undefined ? ABSENT : part(value)
  }
  return key
}

/** The same for a request of HTTP/1 with this Host and no other field that counts. */
export function plainKey(req: RoutedRequest, host: string, rules: KeyRules): string {
  const key = urlKey(req, host, isEncrypted(req) ? 'https' : 'http', rules)
  return rules.allowCookies === undefined ? key : key + ABSENT.repeat(rules.allowCookies.length)
}

const ABSENT = '-'

function urlKey(req: RoutedRequest, host: string, scheme: 'http' | 'https' | undefined, rules: QueryRules): string {
  const url = req.originalUrl ?? req.url ?? ''
  const key = `${isEncrypted(req) ? 's' : 'h'}${part(normalHost(host, scheme))}${part(keyedUrl(url, rules))}`
  return isRewritten(req) ? `${key}u${part(keyedUrl(req.url ?? '', rules))}` : key
}

/** What HTTP/2 may say twice, where the two differ: the host in `:authority` and in Host, the scheme in `:scheme`. */
function otherNames(req: RoutedRequest): string {
  const { headers } = req
  const scheme = headers[':scheme']
  let names = ''
  if (headers.host !== undefined && headers.host !== hostOf(req)) names += `a${part(headers.host)}`
  if (typeof scheme === 'string' && scheme !== (isEncrypted(req) ? 'https' : 'http')) names += `c${part(scheme)}`
  return names
}

/** Whether a layer outside has put another URL in the place of the one that came, rather than taken its mount path off. */
function isRewritten({ url = '', originalUrl, baseUrl }: RoutedRequest): boolean {
  if (originalUrl === undefined || originalUrl === url) return false
  // Express says where it is mounted; under Connect what is left must be the end of what came.
  if (baseUrl === undefined) return url === '/' || !originalUrl.endsWith(withoutSlash(url))
  if (!originalUrl.startsWith(baseUrl)) return true
  const rest = originalUrl.slice(baseUrl.length)
  return rest !== url && (rest.startsWith('/') || rest !== url.slice(1))
}

/** `?x` of `/?x`: frameworks put the slash before a query that follows the mount path. */
function withoutSlash(url: string): string {
  return url.startsWith('/?') ? url.slice(1) : url
}

/** What a framework has taken off the URL for those that are mounted there. */
function mountOf({ url = '', originalUrl = url, baseUrl }: RoutedRequest): string {
  if (baseUrl !== undefined) return baseUrl
  const rest = withoutSlash(url)
  if (originalUrl.endsWith(rest)) return originalUrl.slice(0, originalUrl.length - rest.length)
  return url === '/' ? originalUrl : ''
}

/**
 * Makes, of a path and query, the request that a GET for it would be if all else were as it is in `req` now: handlers and
 * frameworks change the request on its way.
 */
export function getsLike(req: RoutedRequest): (target: string) => RoutedRequest {
  const mount = mountOf(req)
  const { baseUrl, headers } = req
  const own = { method: 'GET', headers: { ...headers }, ...(baseUrl !== undefined && { baseUrl }) }
  return (target) => {
    const rest = target.startsWith(mount) ? target.slice(mount.length) : target
    const members: Record<string, unknown> = {
      ...own,
      url: rest.startsWith('/') ? rest : `/${rest}`,
      originalUrl: target,
      // Express 4 has parsed the query already.
      ...(Object.hasOwn(req, 'query') && { query: Object.fromEntries(new URL(`http://a${target}`).searchParams) }),
    }
    const asDescriptor = ([name, value]: [string, unknown]) => [name, { value, writable: true }] as const
    return Object.create(req, Object.fromEntries(Object.entries(members).map(asDescriptor))) as RoutedRequest
  }
}

function normalHost(host: string, scheme: 'http' | 'https' | undefined): string {
  const lower = host.toLowerCase()
  const defaultPort = scheme === 'https' ? ':443' : ':80'
  return scheme !== undefined && lower.endsWith(defaultPort) ? lower.slice(0, -defaultPort.length) : lower
}

function part(text: string): string {
  return `${text.length}:${text}`
}
