import type { RequestFields } from '../rules/fields.ts'

/** A request as keys and rules look at it, whatever server it came to. */
export interface RequestView<Native> {
  /** What the server has made of it: for functions of the application, and to mark it as taken on. */
  readonly native: Native
  readonly method: string | undefined
  /** By lower-case name; of HTTP/2 `:authority` and `:scheme`, too. */
  readonly headers: RequestFields
  /** Whether the connection to this process is encrypted. */
  readonly isEncrypted: boolean
  /** Path and query as they came. */
  readonly target: string
  /** What layers outside have made of `target`: another one, or what is left of it where they are mounted. */
  readonly url: string
  /** What a framework says that it has taken off `target`. */
  readonly mount: string | undefined
  /**
   * Makes, of a path and query, the request that a GET for it would be if all else were as it is now: handlers and
   * frameworks change a request on its way.
   */
  getsLike(): (target: string) => RequestView<Native>
}

/** A field that has one line, or whose lines were joined. */
export function fieldOf(headers: RequestFields, name: string): string | undefined {
  const value = headers[name]
  return value === undefined ? undefined : String(value)
}
