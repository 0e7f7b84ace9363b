import {
  context,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Exception,
  type Span,
  type Tracer,
} from '@opentelemetry/api'
import { claimChannel, lockChannel, refillChannel } from '../diagnostics.ts'
import { isInstance, messageOf } from '../errors.ts'
import {
  CACHE_NAME,
  CLAIM_STATE,
  ERROR_TYPE,
  errorType,
  KEY,
  LOCK_OUTCOME,
  LOCK_WAITING,
  REFILL_BACKGROUND,
  REFILL_OUTCOME,
} from './attributes.ts'
import { followOperations } from './operations.ts'

/** A span for each refill, each claim and each acquisition of a lock. */
export function recordSpans(tracer: Tracer, recordExceptions: boolean): () => void {
  const begin = (name: string, attributes: Attributes): { state: Span; within: Context } => {
    const span = tracer.startSpan(name, { attributes })
    return { state: span, within: trace.setSpan(context.active(), span) }
  }
  const fail = (span: Span, error: unknown): void => {
    span.setAttribute(ERROR_TYPE, errorType(error))
    span.setStatus({ code: SpanStatusCode.ERROR })
    if (recordExceptions) span.recordException((isInstance(error, Error) ? error : messageOf(error)) as Exception)
  }
  const stops = [
    followOperations(refillChannel, {
      begin({ cache, key, background }) {
        const attributes = { [CACHE_NAME]: cache, [KEY]: key, [REFILL_BACKGROUND]: background }
        return background ? beginApart(tracer, 'herdlock.refill', attributes) : begin('herdlock.refill', attributes)
      },
      end({ outcome, error }, span) {
        if (outcome !== undefined) span.setAttribute(REFILL_OUTCOME, outcome)
        if (outcome === 'failed') fail(span, error)
        span.end()
      },
    }),
    followOperations(claimChannel, {
      begin: ({ cache, key }) => begin('herdlock.claim', { [CACHE_NAME]: cache, [KEY]: key }),
      end({ state }, span) {
        if (state !== undefined) span.setAttribute(CLAIM_STATE, state)
        if (state === 'unavailable') span.setStatus({ code: SpanStatusCode.ERROR })
        span.end()
      },
    }),
    followOperations(lockChannel, {
      begin: ({ key, waiting }) => begin('herdlock.lock.acquire', { [KEY]: key, [LOCK_WAITING]: waiting }),
      end({ outcome, error }, span) {
        if (outcome !== undefined) span.setAttribute(LOCK_OUTCOME, outcome)
        if (outcome === 'failed') fail(span, error)
        span.end()
      },
    }),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}

/** An operation that outlives its caller gets its own trace, with a link to the caller's span. */
function beginApart(tracer: Tracer, name: string, attributes: Attributes): { state: Span; within: Context } {
  const caller = trace.getSpanContext(context.active())
  const span = tracer.startSpan(name, {
    attributes,
    root: true,
    ...(caller !== undefined && { links: [{ context: caller }] }),
  })
  return { state: span, within: trace.setSpan(context.active(), span) }
}
