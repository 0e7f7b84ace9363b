import type { FieldBlock, FlatFields } from '../rules/fields.ts'
import type { StoredResponse } from '../stored/stored-response.ts'

/** The header of a response as the handler gave it, before layers outside ours such as compression changed it. */
export interface ResponseHead {
  readonly status: number
  readonly message: string
  readonly fields: FlatFields
}

/** What a client that asked for less than the whole gets of a response that is nobody else's. */
export type Narrowed =
  { readonly kind: 'not-modified' } | { readonly kind: 'part'; start: number; end: number; size: number }

/**
 * What happens to a header: `send`: the client has it. `hold`: it and what follows are kept back, until `sendHeld` or
 * `answerInstead`. Otherwise the client gets what it asked for.
 */
export type HeadDecision = 'send' | 'hold' | Narrowed

/** Who is told of a handler's answer as it comes: a head, chunks, and an end or a cut. */
export interface SourceObserver {
  /** Once, when the header is final. */
  onHead(head: ResponseHead): HeadDecision
  /** After `send`: the header as layers outside ours have left it. */
  onHeadSent(head: ResponseHead): void
  /** A piece of the body, copied. `taken`: its own client takes more. Returns whether the handler may write on. */
  onChunk(chunk: Buffer, taken: boolean): boolean
  /** The handler wants what it has written to be delivered. */
  onFlush(): void
  /** Its own client takes more again, or has left. */
  onDrain(): void
  /** `last`: the piece that came with the end. */
  onEnd(last?: Buffer): void
  /** The rest will not come. */
  onCut(reason: unknown): void
  /** The handler passed an error on. `goOn` takes it further. */
  onError(error: unknown, goOn: () => void): void
}

/** A handler's run seen from the answer that it makes, with its own client. */
export interface Source {
  /** Runs the handler. */
  start(): void
  /** Whether the header is out of our hands. */
  readonly headSent: boolean
  readonly isHolding: boolean
  /** Whether layers outside ours have a say in the header. */
  readonly hasOuterLayers: boolean
  setField(name: string, value: string): void
  /** Keeps back what has not even begun. */
  hold(): void
  /** Lets the client have what was held back, and all that follows. */
  sendHeld(): void
  /** Gives the client a stored response, as it asked for it, in place of the handler's. Returns the header that went out. */
  answerInstead(response: StoredResponse, fields: FieldBlock): ResponseHead
  /** The handler may write on, as far as others are concerned. */
  resume(): void
  /** Closes its own client's connection. The handler goes on. */
  dropClient(): void
  /** Stops listening: what was held back goes out, what follows takes the way that it would take without us. */
  stop(): void
  /** Puts back what the run has changed of the request, and tells the handler if its client has left meanwhile. */
  restore(): void
}

/** What a run is for. */
export interface SourceTerms {
  /** The stored response that the handler is asked about. */
  readonly validate: StoredResponse | undefined
  /** What we tell the handler that we understand: Surrogate-Capability. */
  readonly capability: string | undefined
  /** Lower-case names of the request fields that the handler does not see. */
  readonly hidden: readonly string[]
  /** Whether the handler goes on when its client has left. */
  readonly outlivesClient: boolean
  /** Whether the handler writes to a response that stands in for one that was sent already. */
  readonly isStandIn: boolean
}
