import type { IncomingMessage, ServerResponse } from 'node:http'

import { FieldMap } from './rules/fields.ts'
import { Recording } from './node/recording.ts'
import { hostOf, isEncrypted, urlKey } from './request/request-key.ts'

/**
 * Watches the answer to an unsafe request: before the client can see that it succeeded, `onChange` gets the resources
 * that it has changed (RFC 9111 section 4.4): its own, and those that Location and Content-Location name on this host.
 */
export function watchUnsafe(
  req: IncomingMessage,
  res: ServerResponse,
  own: string | undefined,
  label: (before: string | undefined, status: number) => string,
  onChange: (resources: string[], fields: FieldMap) => void,
): void {
  const recording: Recording = new Recording(res, {
    onHead(head) {
      const fields = new FieldMap(head.fields)
      res.setHeader('Cache-Status', label(fields.get('cache-status'), head.status))
      recording.stop()
      if (head.status >= 200 && head.status < 400) {
        const resources = own === undefined ? [] : [own]
        for (const name of ['location', 'content-location']) {
          const resource = sameHostResource(req, fields.get(name))
          if (resource !== undefined) resources.push(resource)
        }
        onChange(resources, fields)
      }
      return 'send'
    },
    onChunk: () => true,
    onEnd: () => {},
    onCut: () => recording.stop(),
  })
}

function sameHostResource(
  req: IncomingMessage & { originalUrl?: string },
  reference: string | undefined,
): string | undefined {
  if (reference === undefined) return undefined
  const encrypted = isEncrypted(req)
  const base = `${encrypted ? 'https' : 'http'}://${hostOf(req)}`
  try {
    const url = new URL(reference, new URL(req.originalUrl ?? req.url ?? '/', base))
    if (url.origin !== new URL(base).origin) return undefined
    return urlKey(encrypted, hostOf(req), url.pathname + url.search)
  } catch {
    return undefined
  }
}
