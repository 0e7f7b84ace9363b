import type { IncomingMessage, ServerResponse } from 'node:http'

import { FieldMap } from './rules/fields.ts'
import { Recording, UNHEARD } from './node/recording.ts'
import { edgeScheme, hostNames, hostOf, isEncrypted, type RoutedRequest } from './request/edge.ts'
import { getsLike, type KeyRules, resourceKey } from './request/request-key.ts'

/**
 * Watches the answer to an unsafe request: before the client can see that it succeeded, `onChange` gets the resources
 * that it has changed (RFC 9111 section 4.4): its own, and those that Location and Content-Location name on this host.
 */
export function watchUnsafe(
  req: IncomingMessage,
  res: ServerResponse,
  own: string | undefined,
  rules: KeyRules,
  label: (before: string | undefined, status: number) => string,
  onChange: (resources: string[], fields: FieldMap) => void,
): void {
  const resourceOf = sameHostResources(req, rules)
  const recording: Recording = new Recording(res, {
    onHead(head) {
      const fields = new FieldMap(head.fields)
      res.setHeader('Cache-Status', label(fields.get('cache-status'), head.status))
      recording.stop()
      if (head.status >= 200 && head.status < 400) {
        const resources = own === undefined ? [] : [own]
        for (const name of ['location', 'content-location']) {
          const reference = fields.get(name)
          const resource = reference === undefined ? undefined : resourceOf(reference)
          if (resource !== undefined) resources.push(resource)
        }
        onChange(resources, fields)
      }
      return 'send'
    },
    onCut: () => recording.stop(),
    ...UNHEARD,
  })
}

/**
 * Makes, of a reference to something on this host, its key: asked for as this request was, through the same proxies and
 * with the same fields.
 */
function sameHostResources(req: RoutedRequest, rules: KeyRules): (reference: string) => string | undefined {
  const scheme = edgeScheme(req) ?? (isEncrypted(req) ? 'https' : 'http')
  const base = `${scheme}://${hostOf(req)}${req.originalUrl ?? req.url ?? '/'}`
  const names = hostNames(req)
  const getFor = getsLike(req)
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

/** Whether a URL is on a host, by its name and port as they stand in a request. */
function isHostOf(url: URL, host: string): boolean {
  const other = `${url.protocol}//${host}`
  return URL.canParse(other) && new URL(other).host === url.host
}
