import { metrics, trace, type MeterProvider, type TracerProvider } from '@opentelemetry/api'
import { checkArray, checkBoolean, checkObject } from '../check.ts'
import { wrongType } from '../errors.ts'
import type { Cache } from '../cache/cache.ts'
import { observeCaches } from './cache-metrics.ts'
import { recordDurations } from './durations.ts'
import { recordSpans } from './spans.ts'

/** Options of `instrument`. */
export interface InstrumentOptions {
  /** The caches whose `stats()` become metrics. Spans and durations come from all caches and lockers of the process. */
  caches?: readonly Pick<Cache, 'name' | 'stats'>[] | undefined
  /** Default: the one that is registered with the API. */
  tracerProvider?: TracerProvider | undefined
  /** Default: the one that is registered with the API. */
  meterProvider?: MeterProvider | undefined
  /** Adds message and stack of errors to spans. These may contain keys, even redacted ones. Default `false`. */
  recordExceptions?: boolean | undefined
}

const SCOPE = 'herdlock'

/** Creates OpenTelemetry spans and metrics for what herdlock does, until the returned function is called. */
export function instrument(options: InstrumentOptions = {}): () => void {
  checkObject('options', options)
  const { caches = [], tracerProvider = trace, meterProvider = metrics, recordExceptions = false } = options
  checkArray('caches', caches, 'an array of caches')
  for (const cache of caches) {
    if (typeof cache?.stats !== 'function') throw wrongType('caches', 'an array of caches', caches)
  }
  checkBoolean('recordExceptions', recordExceptions)
  const meter = meterProvider.getMeter(SCOPE)
  const stops = [
    recordSpans(tracerProvider.getTracer(SCOPE), recordExceptions),
    recordDurations(meter),
    observeCaches(meter, caches),
  ]
  return () => {
    for (const stop of stops.splice(0)) stop()
  }
}
