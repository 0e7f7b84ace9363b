import type { Route } from '../fetch/route.ts'
import { OuterFields } from '../fetch/outer-fields.ts'
import type { RunTerms } from '../fetch/whole-request.ts'
import { type Connection, describeConnection } from '../node/connection.ts'
import { asWholeRequest } from '../node/whole-request.ts'
import type { KoaContext, KoaNext } from './koa-context.ts'
import { madeBy } from './made-by.ts'
import { renewContext } from './renew-context.ts'

/** How the request of a context goes on. `next` can be called once: for its client, or for nobody after the answer. */
export class KoaRoute implements Route {
  readonly besideOuter: Route['besideOuter']
  readonly baseline: Route['baseline']
  readonly #context: KoaContext
  readonly #next: KoaNext
  /** The URL for inner layers. Outer layers restore their own. */
  readonly #url: string | undefined
  readonly #connection: Connection
  /** Settles when the handler no longer uses the context. */
  #running: Promise<unknown> | undefined
  #made: Response | undefined

  constructor(context: KoaContext, next: KoaNext) {
    const { req, res } = context
    const outer = new OuterFields(
      Object.entries(res.getHeaders()).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, Array.isArray(value) ? [...value] : String(value)] as const],
      ),
    )
    this.baseline = outer.baseline
    this.besideOuter = outer.beside.bind(outer)
    this.#context = context
    this.#next = next
    this.#url = req.url
    this.#connection = describeConnection(req.socket)
  }

  /** What the handler has put on the context. */
  get made(): Response | undefined {
    return this.#made
  }

  /** Resolves when the handler no longer uses the context. */
  async whenDone(): Promise<void> {
    await this.#running?.catch(() => {})
  }

  get standIn(): Route['standIn'] {
    return this.#running === undefined ? (terms) => this.#standIn(terms) : undefined
  }

  run(terms?: RunTerms): Promise<Response> {
    return this.#run(terms, () => {})
  }

  whenFree(callback: () => void): void {
    const { res } = this.#context
    const tell = (): void => {
      // Outer layers may still be at work for a client that has left.
      if (res.writableEnded) callback()
    }
    if (res.closed) tell()
    else res.once('close', tell)
  }

  async #standIn(terms: RunTerms): Promise<Response> {
    const context = this.#context
    renewContext(context, { url: this.#url, baseline: this.baseline, connection: this.#connection })
    const { res } = context
    const over = (): void => void res.end()
    try {
      return await this.#run(terms, over)
    } catch (error) {
      over()
      throw error
    }
  }

  async #run(terms: RunTerms | undefined, onOver: () => void): Promise<Response> {
    const restore = terms && asWholeRequest(this.#context.req, terms)
    try {
      this.#running = this.#next()
      await this.#running
    } finally {
      restore?.()
    }
    return (this.#made = madeBy(this.#context, onOver))
  }
}
