import { vi } from 'vitest'

import type { NarrowingRequest } from '../../../../src/middleware/answer/narrowed.ts'
import { Client, NOBODY } from '../../../../src/middleware/fetch/client.ts'
import { NARROWING } from '../../../../src/middleware/request/narrowing.ts'
import { FetchRun } from '../../../../src/middleware/fetch/fetch-run.ts'
import type { RunTerms } from '../../../../src/middleware/fetch/whole-request.ts'
import type { HeadDecision, ResponseHead, SourceObserver, SourceTerms } from '../../../../src/middleware/fill/source.ts'

export const UNHEARD_TERMS: SourceTerms = {
  ...{ validate: undefined, capability: undefined, hidden: NARROWING },
  ...{ outlivesClient: true, isStandIn: false },
}

/** An observer that lets everything go on. */
export function unheard(): SourceObserver {
  return {
    onHead: () => 'send',
    onHeadSent: () => {},
    onChunk: (_chunk, taken) => taken,
    onFlush: () => {},
    onDrain: () => {},
    onEnd: () => {},
    onCut: () => {},
    onError: (_error, goOn) => goOn(),
  }
}

export interface RunGiven {
  terms?: Partial<SourceTerms>
  narrowing?: Partial<NarrowingRequest>
  /** What the observer says to the header; may act on the run. */
  decide?: (head: ResponseHead) => HeadDecision
  /** Whether the run may go on after a piece. Default: while its client takes more. */
  mayGoOn?: (chunk: Buffer, taken: boolean) => boolean
  /** Whether an error of the handler is its own client's. */
  passesErrors?: boolean
}

export interface RunLab {
  readonly run: FetchRun
  readonly client: Client
  /** Lets its client leave. */
  readonly left: AbortController
  /** What the handler was given; its signal is aborted once nobody needs the answer. */
  readonly terms: () => RunTerms
  /** What the observer was told, in order. */
  readonly told: string[]
  readonly waitUntil: ReturnType<typeof vi.fn<(work: Promise<unknown>) => void>>
}

/** A run of `handler` that has begun. */
export function beginRun(handler: () => unknown, given: RunGiven = {}): RunLab {
  const { decide = () => 'send', mayGoOn, passesErrors = true } = given
  const terms = { ...UNHEARD_TERMS, ...given.terms }
  const left = new AbortController()
  const client = new Client(left.signal)
  client.response.catch(() => {}) // a test that looks at it learns of it
  const told: string[] = []
  const waitUntil = vi.fn<(work: Promise<unknown>) => void>()
  let asked: RunTerms | undefined
  const observer: SourceObserver = {
    onHead(head) {
      told.push(`head ${head.status}`)
      return decide(head)
    },
    onHeadSent: () => void told.push('sent'),
    onChunk(chunk, taken) {
      told.push(`chunk ${chunk.length > 20 ? chunk.length : String(chunk)}`)
      return mayGoOn === undefined ? taken : mayGoOn(chunk, taken)
    },
    onFlush: () => void told.push('flush'),
    onDrain() {
      told.push('drain')
      if (mayGoOn === undefined) run.resume()
    },
    onEnd: () => void told.push('end'),
    onCut: (reason) => void told.push(`cut ${String(reason)}`),
    onError(error, goOn) {
      told.push(`error ${String(error)}`)
      if (passesErrors) goOn()
    },
  }
  const call = {
    narrowing: { narrowing: {}, narrowed: false, isHead: false, lastEventId: undefined, ...given.narrowing },
    asker: terms.isStandIn ? NOBODY : client,
    waitUntil,
    within: (action: () => void) => action(),
    run: (of: RunTerms) => {
      asked = of
      return handler() as Response
    },
    besideOuter: (_stored: unknown, fields: Array<string | string[]>) => [...fields, 'X-Outer', 'yes'],
  }
  const run: FetchRun = new FetchRun(call, observer, terms)
  run.start()
  return {
    ...{ run, client, left, told, waitUntil },
    terms() {
      if (asked === undefined) throw new Error('the handler has not run')
      return asked
    },
  }
}
