import type { RequestFields } from '../rules/fields.ts'

/** A request as keys and rules see it, whatever server it came to. */
export interface RequestView<Native> {
  /** The server's own object, for functions of the application and for the mark of a handled request. */
  readonly native: Native
  readonly method: string | undefined
  /** By lower-case name. For HTTP/2 also `:authority` and `:scheme`. */
  readonly headers: RequestFields
  /** Whether the connection to this process is encrypted. */
  readonly isEncrypted: boolean
  /** Path and query as they came. */
  readonly target: string
  /** What outer layers have made of `target`: another one, or the rest after their mount path. */
  readonly url: string
  /** The part of `target` that a framework says it has cut off. */
  readonly mount: string | undefined
  /**
   * Makes a function that turns a path and query into a GET request, which is otherwise like this one is now. Later,
   * handlers and frameworks may have changed this request.
   */
  getsLike(): (target: string) => RequestView<Native>
}

/** A field that has one line, or whose lines were joined. */
export function fieldOf(headers: RequestFields, name: string): string | undefined {
  const value = headers[name]
  return value === undefined ? undefined : String(value)
}
