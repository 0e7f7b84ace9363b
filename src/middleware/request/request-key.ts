import type { IncomingMessage } from 'node:http'

import { wrongType } from '../../errors.ts'
import type { Settings } from '../options.ts'

/**
 * Request fields that change, in some frameworks or behind some proxies, what a handler takes the URL or the method
 * to be. Whoever may set them could otherwise have a page about their own host stored for everybody.
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
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
  'x-original-host',
  'x-original-url',
  'x-rewrite-url',
] as const

/** A request as frameworks hand it on: Express and Connect keep the URL as it came in `originalUrl`. */
export type RoutedRequest = IncomingMessage & { originalUrl?: string }

/**
 * What a response is stored under, without its method: scheme, host and URL byte for byte, then the fields that
 * override them. Every part carries its length, so that no input can pass for another. Undefined: not to be cached.
 */
export function resourceKey(req: RoutedRequest, settings: Settings): string | undefined {
  let key: string
  if (settings.key === undefined) {
    key = urlKey(isEncrypted(req), hostOf(req), req.originalUrl ?? req.url ?? '')
  } else {
    const custom = settings.key(req)
    if (custom === undefined) return undefined
    if (typeof custom !== 'string') throw wrongType('the result of key', 'a string or undefined', custom)
    key = `k${part(custom)}`
  }
  const { headers } = req
  for (const name of OVERRIDES) {
    const value = headers[name]
    if (value !== undefined) key += `${part(name)}${part(String(value))}`
  }
  for (const name of settings.keyHeaders) {
    const value = headers[name]
    key += value === undefined ? '-' : part(String(value))
  }
  return key
}

/** The key of a URL that a response names, such as the Location of an answer to a POST, asked for in the plain way. */
export function urlKey(encrypted: boolean, host: string, url: string): string {
  return `${encrypted ? 's' : 'h'}${part(normalHost(host, encrypted))}${part(url)}`
}

export function isEncrypted(req: IncomingMessage): boolean {
  return (req.socket as { encrypted?: boolean } | null)?.encrypted === true
}

/** Host as the client sent it; HTTP/2 has it in `:authority`. Never what a proxy says it was. */
export function hostOf(req: IncomingMessage): string {
  const authority = req.headers[':authority']
  return req.headers.host ?? (typeof authority === 'string' ? authority : '')
}

function normalHost(host: string, encrypted: boolean): string {
  const lower = host.toLowerCase()
  const defaultPort = encrypted ? ':443' : ':80'
  return lower.endsWith(defaultPort) ? lower.slice(0, -defaultPort.length) : lower
}

function part(text: string): string {
  return `${text.length}:${text}`
}
