import type { LoaderContext } from '../../cache/refill/loader-context.ts'
import type { Clock } from '../../clock.ts'
import type { Exchange } from '../flights/exchange.ts'
import type { Stored } from '../stored/stored-codec.ts'
import type { FillBudget } from './fill-budget.ts'

/** Is told how a fill goes on. */
export interface FillHost {
  /** The header is there and says that others may have the response. */
  onShare(): void
  /**
   * The response may not be shared, or must be validated for each request: all waiting requests must go on alone.
   * `lasting`: the next answer is likely to be of the same kind. `reason`: given if the response is not for others.
   */
  onUnshared(lasting: boolean, reason?: string): void
}

/** What a fill needs to know of its load, and may say about the load's result. */
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
  /** Whether the exchange's own client gets the answer. Otherwise the run is a stand-in. */
  readonly hasClient: boolean
  /** Whether it also runs for others. Then it goes on when that client has left, and stores every answer that it may. */
  readonly forOthers: boolean
  readonly context: FillContext
  readonly host: FillHost
}
