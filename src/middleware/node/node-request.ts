import type { IncomingMessage } from 'node:http'

import { withoutSlash } from '../request/request-key.ts'
import type { RequestView } from '../request/request-view.ts'
import type { RequestFields } from '../rules/fields.ts'

/** A request as frameworks pass it on. Express and Connect keep the original URL in `originalUrl`. */
export type RoutedRequest = IncomingMessage & { originalUrl?: string; baseUrl?: string }

/** Node's request as keys and rules see it. Reads each part only when it is needed: most hits need little. */
export class NodeRequest implements RequestView<IncomingMessage> {
  readonly native: RoutedRequest
  readonly #target: string | undefined

  /** `target`: the URL as it came, for a framework that keeps it elsewhere. */
  constructor(req: RoutedRequest, target?: string) {
    this.native = req
    this.#target = req.originalUrl ?? target
  }

  get method(): string | undefined {
    return this.native.method
  }

  get headers(): RequestFields {
    return this.native.headers
  }

  get isEncrypted(): boolean {
    return (this.native.socket as { encrypted?: boolean } | null)?.encrypted === true
  }

  get target(): string {
    return this.#target ?? this.url
  }

  get url(): string {
    return this.native.url ?? ''
  }

  get mount(): string | undefined {
    return this.native.baseUrl
  }

  getsLike(): (target: string) => NodeRequest {
    const req = this.native
    const mount = mountOf(req, this.target)
    const { baseUrl, headers } = req
    const own = { method: 'GET', headers: { ...headers }, ...(baseUrl !== undefined && { baseUrl }) }
    return (target) => {
      const rest = target.startsWith(mount) ? target.slice(mount.length) : target
      const members: Record<string, unknown> = {
        ...own,
        url: rest.startsWith('/') ? rest : `/${rest}`,
        originalUrl: target,
        // Express 4 has already parsed the query.
        ...(Object.hasOwn(req, 'query') && { query: Object.fromEntries(new URL(`http://a${target}`).searchParams) }),
      }
      const asDescriptor = ([name, value]: [string, unknown]) => [name, { value, writable: true }] as const
      const get: unknown = Object.create(req, Object.fromEntries(Object.entries(members).map(asDescriptor)))
      return new NodeRequest(get as IncomingMessage)
    }
  }
}

/** The mount path that a framework has cut off the URL. */
function mountOf({ url = '', baseUrl }: RoutedRequest, target: string): string {
  if (baseUrl !== undefined) return baseUrl
  const rest = withoutSlash(url)
  if (target.endsWith(rest)) return target.slice(0, target.length - rest.length)
  return url === '/' ? target : ''
}
