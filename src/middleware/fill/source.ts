import type { FieldBlock, FlatFields } from '../rules/fields.ts'
import type { StoredResponse } from '../stored/stored-response.ts'

/** The header of a response as the handler gave it, before outer layers such as compression changed it. */
export interface ResponseHead {
  readonly status: number
  readonly message: string
  readonly fields: FlatFields
}

/** What a client that asked for less than the whole gets of a response that is for it alone. */
export type Narrowed =
  { readonly kind: 'not-modified' } | { readonly kind: 'part'; start: number; end: number; size: number }

/**
 * What happens to a header. `send`: the client gets it. `hold`: it and what follows are held back until `sendHeld` or
 * `answerInstead`. `Narrowed`: the client gets what it asked for.
 */
export type HeadDecision = 'send' | 'hold' | Narrowed

/** Is told of a handler's answer as it comes: a head, chunks, and an end or a cut. */
export interface SourceObserver {
  /** Once, when the header is final. */
  onHead(head: ResponseHead): HeadDecision
  /** After `send`: the header as outer layers have left it. */
  onHeadSent(head: ResponseHead): void
  /** A piece of the body, copied. `taken`: the run's own client takes more. Returns whether the handler may write on. */
  onChunk(chunk: Buffer, taken: boolean): boolean
  /** The handler wants what it has written to be delivered. */
  onFlush(): void
  /** The run's own client takes more again, or has left. */
  onDrain(): void
  /** `last`: the piece that came with the end. */
  onEnd(last?: Buffer): void
  /** The rest will not come. */
  onCut(reason: unknown): void
  /** The handler passed an error on. `goOn` takes it further. */
  onError(error: unknown, goOn: () => void): void
}

/** A handler's run as the source of an answer. It has a client of its own. */
export interface Source {
  /** Runs the handler. */
  start(): void
  /** Whether the header is out of our hands. */
  readonly headSent: boolean
  readonly isHolding: boolean
  /** Whether outer layers can change the header. */
  readonly hasOuterLayers: boolean
  setField(name: string, value: string): void
  /** Holds back an answer that has not begun yet. */
  hold(): void
  /** Sends the client what was held back, and all that follows. */
  sendHeld(): void
  /** Gives the client what it asked for of a stored response, not the handler's. Returns the header that went out. */
  answerInstead(response: StoredResponse, fields: FieldBlock): ResponseHead
  /** Other readers no longer hold up the handler. */
  resume(): void
  /** Closes its own client's connection. The handler goes on. */
  dropClient(): void
  /** Stops listening. What was held back goes out. What follows goes out as it would without us. */
  stop(): void
  /** Undoes the run's changes to the request, and tells the handler if its client has left meanwhile. */
  restore(): void
}

/** What a run is for. */
export interface SourceTerms {
  /** The stored response that the handler is asked about. */
  readonly validate: StoredResponse | undefined
  /** What we tell the handler about this cache: Surrogate-Capability. */
  readonly capability: string | undefined
  /** Lower-case names of the request fields that the handler does not see. */
  readonly hidden: readonly string[]
  /** Whether the handler goes on when its client has left. */
  readonly outlivesClient: boolean
  /** Whether the handler writes to a response that stands in for one that was sent already. */
  readonly isStandIn: boolean
}
