import type { IncomingMessage } from 'node:http'

import { parseForwarded } from './forwarded.ts'

/** A request as frameworks hand it on: Express and Connect keep the URL as it came in `originalUrl`. */
export type RoutedRequest = IncomingMessage & { originalUrl?: string; baseUrl?: string }

/** Whether the connection to this process is encrypted. */
export function isEncrypted(req: IncomingMessage): boolean {
  return (req.socket as { encrypted?: boolean } | null)?.encrypted === true
}

/** Host as the client sent it; HTTP/2 has it in `:authority`. Never what a proxy says it was. */
export function hostOf({ headers }: IncomingMessage): string {
  const authority = headers[':authority']
  return typeof authority === 'string' ? authority : (headers.host ?? '')
}

/** Scheme and host as this process is asked for them. */
export function originOf(req: IncomingMessage): string {
  return `${isEncrypted(req) ? 'https' : 'http'}://${hostOf(req).toLowerCase()}`
}

/**
 * The scheme that the client used, as far as proxies before us and the connection agree on it: `https` or `http`, or
 * undefined where they contradict one another.
 */
export function edgeScheme(req: IncomingMessage): 'http' | 'https' | undefined {
  const { headers } = req
  const said = new Set([
    ...listed(headers['x-forwarded-proto']),
    ...listed(headers['x-forwarded-scheme']),
    ...listed(headers['x-forwarded-ssl']).map((ssl) => (ssl === 'on' ? 'https' : 'http')),
    ...parseForwarded(headers.forwarded).protos,
    ...listed(headers[':scheme']),
  ])
  if (said.size === 0) return isEncrypted(req) ? 'https' : 'http'
  const [scheme] = said
  return said.size === 1 && (scheme === 'https' || scheme === 'http') ? scheme : undefined
}

/** Every name by which this host may call itself in its answer: its own, and those under which proxies know it. */
export function hostNames(req: IncomingMessage): string[] {
  const { headers } = req
  const all = [hostOf(req), headers.host ?? '', ...listed(headers['x-forwarded-host'])]
  return [...all, ...parseForwarded(headers.forwarded).hosts].filter((host) => host !== '')
}

function listed(field: string | string[] | undefined): string[] {
  if (field === undefined) return []
  const members = String(field).toLowerCase().split(',')
  return members.map((member) => member.trim()).filter((member) => member !== '')
}
