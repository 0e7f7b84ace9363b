import type { RequestView } from '../request/request-view.ts'
import { TELLING } from '../request/telling-fields.ts'
import type { RequestFields } from '../rules/fields.ts'

/** A `Request` as keys and rules look at it. Reads nothing before it is asked for: most hits need little. */
export class FetchRequest implements RequestView<Request> {
  readonly native: Request
  /** What takes a part off the URL makes another request of it, and does not say so. */
  readonly mount: undefined
  readonly #url: string
  /** Where in the URL host and path begin. */
  readonly #hostAt: number
  readonly #pathAt: number
  #headers: RequestFields | undefined

  constructor(request: Request) {
    const { url } = request
    this.native = request
    this.#url = url
    this.#hostAt = url.indexOf('//') + 2
    const path = url.indexOf('/', this.#hostAt)
    this.#pathAt = path < 0 ? url.length : path
  }

  get method(): string {
    return this.native.method
  }

  get isEncrypted(): boolean {
    return this.#url.startsWith('https:')
  }

  get target(): string {
    return this.#url.slice(this.#pathAt)
  }

  get url(): string {
    return this.target
  }

  /** With the host that the URL has in `:authority`, as in HTTP/2, where Host says something else. */
  get headers(): RequestFields {
    if (this.#headers !== undefined) return this.#headers
    const fields: Record<string, string> = Object.create(null) as Record<string, string>
    this.native.headers.forEach((value, name) => (fields[name] = value))
    const host = this.#urlHost
    fields['host'] ??= host
    if (!this.#isOwnHost(fields['host'])) fields[':authority'] = host
    return (this.#headers = fields)
  }

  /** Its host, if nothing else counts but its URL, as in most requests; undefined if there is more to be looked at. */
  get plainHost(): string | undefined {
    const { headers } = this.native
    const host = this.#urlHost
    if ((headers.get('host') ?? host) !== host) return undefined
    for (const name of TELLING) if (headers.has(name)) return undefined
    return host
  }

  getsLike(): (target: string) => FetchRequest {
    const headers = new Headers(this.native.headers)
    const origin = this.#url.slice(0, this.#pathAt)
    return (target) => new FetchRequest(new Request(origin + target, { headers }))
  }

  get #urlHost(): string {
    return this.#url.slice(this.#hostAt, this.#pathAt)
  }

  /** Whether Host says what the URL does, which has no default port. */
  #isOwnHost(host: string): boolean {
    const lower = host.toLowerCase()
    const port = this.isEncrypted ? ':443' : ':80'
    return (lower.endsWith(port) ? lower.slice(0, -port.length) : lower) === this.#urlHost
  }
}
