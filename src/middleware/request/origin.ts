import type { RequestFields } from '../rules/fields.ts'
import { parseForwarded } from './forwarded.ts'
import { fieldOf, type RequestView } from './request-view.ts'

type Addressed = Pick<RequestView<unknown>, 'headers' | 'isEncrypted'>

/** The host as the client sent it. HTTP/2 has it in `:authority`. Never the host that a proxy names. */
export function hostOf(headers: RequestFields): string {
  const authority = headers[':authority']
  return typeof authority === 'string' ? authority : (fieldOf(headers, 'host') ?? '')
}

/** Scheme and host as this process sees them. */
export function originOf({ headers, isEncrypted }: Addressed): string {
  return `${isEncrypted ? 'https' : 'http'}://${hostOf(headers).toLowerCase()}`
}

/**
 * The scheme that the client used, `https` or `http`. The request's fields decide, and the connection only if they say
 * nothing. Undefined if the fields contradict one another or name another scheme.
 */
export function edgeScheme({ headers, isEncrypted }: Addressed): 'http' | 'https' | undefined {
  const said = new Set([
    ...listed(headers['x-forwarded-proto']),
    ...listed(headers['x-forwarded-scheme']),
    ...listed(headers['x-forwarded-ssl']).map((ssl) => (ssl === 'on' ? 'https' : 'http')),
    ...parseForwarded(fieldOf(headers, 'forwarded')).protos,
    ...listed(headers[':scheme']),
  ])
  if (said.size === 0) return isEncrypted ? 'https' : 'http'
  const [scheme] = said
  return said.size === 1 && (scheme === 'https' || scheme === 'http') ? scheme : undefined
}

/** Every name by which this host may call itself in its answer: its own, and those under which proxies know it. */
export function hostNames(headers: RequestFields): string[] {
  const all = [hostOf(headers), fieldOf(headers, 'host') ?? '', ...listed(headers['x-forwarded-host'])]
  return [...all, ...parseForwarded(fieldOf(headers, 'forwarded')).hosts].filter((host) => host !== '')
}

function listed(field: string | readonly string[] | undefined): string[] {
  if (field === undefined) return []
  const members = String(field).toLowerCase().split(',')
  return members.map((member) => member.trim()).filter((member) => member !== '')
}
