import type { LoaderContext } from '../../cache/refill/loader-context.ts'
import type { Clock } from '../../clock.ts'
import type { Exchange } from '../flights/exchange.ts'
import type { Stored } from '../stored/stored-codec.ts'
import type { FillBudget } from './fill-budget.ts'

/** Who is told how a fill goes on. */
export interface FillHost {
  /** The header is there and says that others may have the response. */
  onShare(): void
  /**
   * It may not be shared, or is to be validated for each request: everybody who waits must go on alone. `lasting`: the
   * next answer is likely to be of the same kind. `reason`: why it is not for others, if so.
   */
  onUnshared(lasting: boolean, reason?: string): void
}

/** What a fill needs to know of the load that it is part of, and may say about its result. */
export type FillContext = Pick<LoaderContext<Stored | undefined>, 'stale' | 'signal' | 'cacheFor' | 'doNotShare'>

/** What the options say of fills. */
export interface FillRules {
  /** Bytes of the largest body that is kept. */
  readonly maxBodyBytes: number
  /** ms after which a client that takes nothing is cut, if it holds up others. */
  readonly stallTimeout: number
  readonly targetedFields: readonly string[]
  readonly shareEventStreams: boolean
}

/** What all fills of a middleware have in common. */
export interface FillSurroundings {
  readonly rules: FillRules
  readonly clock: Clock
  readonly budget: FillBudget
  /** ms: how long a handler may take for its answer, and then for each further piece of it. */
  readonly loadTimeout: number
}

export interface FillParts {
  readonly exchange: Exchange
  /** Whether the exchange's own client gets the answer; else the run stands in for it. */
  readonly hasClient: boolean
  /** Whether it is run for others too: then it goes on when that client has left, and whatever may be stored is. */
  readonly forOthers: boolean
  readonly context: FillContext
  readonly host: FillHost
}
