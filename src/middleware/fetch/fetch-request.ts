import type { RequestView } from '../request/request-view.ts'
import { TELLING } from '../request/telling-fields.ts'
import type { RequestFields } from '../rules/fields.ts'

/** A `Request` as keys and rules see it. Reads each part only when it is needed: most hits need little. */
export class FetchRequest implements RequestView<Request> {
  readonly native: Request
  /** A router that cuts a part off the URL makes a new request, and does not say so. */
  readonly mount: undefined
  readonly #url: string
  /** Where host and path begin in the URL. */
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

  /** If Host differs from the host in the URL, `:authority` has the latter, as in HTTP/2. */
  get headers(): RequestFields {
    if (this.#headers !== undefined) return this.#headers
    const fields: Record<string, string> = Object.create(null) as Record<string, string>
    this.native.headers.forEach((value, name) => (fields[name] = value))
    const host = this.#urlHost
    fields['host'] ??= host
    if (!this.#isOwnHost(fields['host'])) fields[':authority'] = host
    return (this.#headers = fields)
  }

  /** The host, if only the URL matters, as in most requests. Undefined if other fields matter too. */
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

  /** Whether Host equals the host in the URL, which never has a default port. */
  #isOwnHost(host: string): boolean {
    const lower = host.toLowerCase()
    const port = this.isEncrypted ? ':443' : ':80'
    return (lower.endsWith(port) ? lower.slice(0, -port.length) : lower) === this.#urlHost
  }
}
