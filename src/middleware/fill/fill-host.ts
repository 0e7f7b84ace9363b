import type { LoaderContext } from '../../cache/refill/loader-context.ts'
import type { Clock } from '../../clock.ts'
import type { Exchange } from '../flights/exchange.ts'
import type { Settings } from '../options.ts'
import type { Stored } from '../stored/stored-codec.ts'

/** Why a handler's run yields nothing that others may have. */
export class FillFailedError extends Error {
  override readonly name = 'FillFailedError'
}

/** Who is told how a fill goes on. */
export interface FillHost {
  /** The header is there and says that others may have the response. */
  onShare(): void
  /**
   * It may not be shared, or is to be validated for each request: everybody who waits must go on alone. `lasting`: the
   * next answer is likely to be of the same kind.
   */
  onUnshared(lasting: boolean): void
}

/** What a fill needs to know of the load that it is part of, and may say about its result. */
export type FillContext = Pick<LoaderContext<Stored | undefined>, 'stale' | 'signal' | 'cacheFor' | 'doNotShare'>

/** What a fill is made of. */
export interface FillParts {
  readonly exchange: Exchange
  /** What the handler writes to: the exchange's own response, or one that stands in for it. */
  readonly res: Exchange['res']
  /** Whether a client waits at that response. */
  readonly hasClient: boolean
  /** Whether it is run for others too: then it goes on when that client has left, and whatever may be stored is. */
  readonly forOthers: boolean
  readonly context: FillContext
  readonly settings: Settings
  readonly clock: Clock
  readonly host: FillHost
}
