import { hostNames, hostOf, edgeScheme } from './request/origin.ts'
import { type KeyRules, resourceKey } from './request/request-key.ts'
import type { RequestView } from './request/request-view.ts'
import type { FieldMap } from './rules/fields.ts'

/**
 * Makes a function that tells which resources an unsafe request has changed, from its successful answer (RFC 9111 section
 * 4.4): `own`, and those that Location and Content-Location name on this host. Call this before the handler runs.
 */
export function changedBy<Native>(
  request: RequestView<Native>,
  own: string | undefined,
  rules: KeyRules<Native>,
): (fields: FieldMap) => readonly string[] {
  const resourceOf = sameHostResources(request, rules)
  return (fields) => {
    const resources = own === undefined ? [] : [own]
    for (const name of ['location', 'content-location']) {
      const reference = fields.get(name)
      const resource = reference === undefined ? undefined : resourceOf(reference)
      if (resource !== undefined) resources.push(resource)
    }
    return resources
  }
}

/**
 * Makes a function that turns a reference into a key, if it is on this host. The key is that of a request like this one:
 * through the same proxies and with the same fields.
 */
function sameHostResources<Native>(
  request: RequestView<Native>,
  rules: KeyRules<Native>,
): (reference: string) => string | undefined {
  const { headers, isEncrypted, target } = request
  const scheme = edgeScheme(request) ?? (isEncrypted ? 'https' : 'http')
  const base = `${scheme}://${hostOf(headers)}${target === '' ? '/' : target}`
  const names = hostNames(headers)
  const getFor = request.getsLike()
  return (reference) => {
    try {
      const url = new URL(reference, base)
      if (!names.some((host) => isHostOf(url, host))) return undefined
      return resourceKey(getFor(url.pathname + url.search), rules)
    } catch {
      return undefined // no URL, or none that the application's own `key` understands
    }
  }
}

/** Whether a URL is on a host. `host`: name and port as they stand in a request. */
function isHostOf(url: URL, host: string): boolean {
  const other = `${url.protocol}//${host}`
  return URL.canParse(other) && new URL(other).host === url.host
}
