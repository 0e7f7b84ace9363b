import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** The header by which the page proves that it is ours: another origin's page can neither set nor know it. */
const TOKEN_HEADER = 'x-herdlock-token'

/** What tells that a request comes from elsewhere than from whoever opened the connection. */
const FORWARDED = /^(forwarded|via|x-forwarded-.*|x-real-ip|x-client-ip|x-cluster-client-ip|true-client-ip|cf-.*)$/

/** Why a request is not, beyond doubt, from a browser on this very machine; `undefined` if it is. */
export function whyNotLocal(request: IncomingMessage): string | undefined {
  const { socket, headers } = request
  if (!isLoopback(socket.remoteAddress) || !isLoopback(socket.localAddress))
    return 'the request comes from another host'
  const forwarded = Object.keys(headers).find((name) => FORWARDED.test(name))
  if (forwarded !== undefined) return `the request was forwarded (${forwarded})`
  // No browser speaks HTTP/1.0; proxies that tell nothing of themselves do.
  if (request.httpVersionMajor === 1 && request.httpVersionMinor === 0) return 'the request was forwarded (HTTP/1.0)'
  // A name of an attacker's that leads here would make this page one of his (DNS rebinding).
  if (!isLoopbackName(hostOf(request))) return 'the request names another host'
  return undefined
}

function hostOf({ headers }: IncomingMessage): string {
  return String(headers.host ?? headers[':authority'] ?? '')
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(127\.|::1$|::ffff:127\.)/.test(address)
}

function isLoopbackName(host: string): boolean {
  return /^(localhost|[a-z0-9-]+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i.test(host)
}

/** Whether another site's page makes the browser ask for more than for the page as a whole. Old browsers do not tell. */
export function isForeignRead({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site']
  return site !== undefined && site !== 'same-origin' && site !== 'none' && headers['sec-fetch-mode'] !== 'navigate'
}

/** Why a request may not change anything although its sender may see the page; `undefined` if it may. */
export function whyForged(request: IncomingMessage): string | undefined {
  const { headers } = request
  if (!/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? ''))
    return 'its Content-Type is not application/json'
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin' ? undefined : 'it comes from another site'
  // Browsers tell no site to hosts that are reached without TLS, but they tell the origin.
  const { origin } = headers
  return origin === undefined || originHost(origin) === hostOf(request) ? undefined : 'it comes from another origin'
}

/** Whether the page that sends the request was made by whoever knows `token`. Takes the same time for every answer. */
export function hasToken({ headers }: IncomingMessage, token: string): boolean {
  return digest(String(headers[TOKEN_HEADER] ?? '')) === digest(token)
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64')
}

function originHost(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}
