import { AsyncLocalStorage } from 'node:async_hooks'
import type { Channel, TracingChannel, TracingChannelSubscribers } from 'node:diagnostics_channel'
import { context, type Context } from '@opentelemetry/api'

/** What to do with the operations of one tracing channel. */
export interface Operations<M extends object, T> {
  /** State to keep until the operation ends, and the context in which it runs. */
  begin(message: M): { readonly state: T; readonly within?: Context }
  end(message: M, state: T): void
}

/** Follows the operations of a channel until the returned function is called. */
export function followOperations<M extends object, T>(
  tracing: TracingChannel<M, M>,
  operations: Operations<M, T>,
): () => void {
  const states = new WeakMap<object, T>()
  const scope = new ContextScope()
  const subscribers = {
    asyncEnd(message: M): void {
      const state = states.get(message)
      // An operation that started before is not followed.
      if (state !== undefined) operations.end(message, state)
    },
  } as TracingChannelSubscribers<M>
  const start = tracing.start as Channel
  start.bindStore(scope as AsyncLocalStorage<unknown>, (message) => {
    const { state, within = context.active() } = operations.begin(message as M)
    states.set(message as M, state)
    return within
  })
  tracing.subscribe(subscribers)
  return () => {
    start.unbindStore(scope)
    tracing.unsubscribe(subscribers)
  }
}

/**
 * Node runs each operation of a channel inside the stores that are bound to it. This store passes it on to
 * OpenTelemetry's own context manager. So code inside, such as the queries of a loader, finds the span of the operation
 * active.
 */
class ContextScope extends AsyncLocalStorage<Context> {
  override run<R, A extends unknown[]>(within: Context, callback: (...args: A) => R, ...args: A): R {
    return context.with(within, callback, undefined, ...args)
  }
}
