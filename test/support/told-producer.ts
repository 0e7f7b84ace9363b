import type { Producer, ProducerContext } from '../../src/cache/stream/options.ts'
import { deferred } from './deferred.ts'

/** A producer that yields what the test says, when it says so, however often it is run. */
export interface ToldProducer<C> {
  readonly producer: Producer<C>
  /** What each run was told. */
  readonly runs: readonly ProducerContext[]
  /** Reasons for which runs were aborted. */
  readonly aborted: readonly unknown[]
  say(...chunks: C[]): void
  end(): void
  fail(reason: unknown): void
}

type Order<C> = { readonly chunk: C } | { readonly end: true } | { readonly reason: unknown }

export function toldProducer<C>(): ToldProducer<C> {
  const orders: Order<C>[] = []
  const runs: ProducerContext[] = []
  const aborted: unknown[] = []
  let news = deferred()
  const order = (...more: Order<C>[]): void => {
    orders.push(...more)
    news.resolve()
    news = deferred()
  }
  async function* producer(context: ProducerContext): AsyncGenerator<C> {
    runs.push(context)
    context.signal.addEventListener('abort', () => aborted.push(context.signal.reason))
    for (let i = context.resumeFrom; ; i++) {
      while (orders[i] === undefined) await news.promise
      const next = orders[i] as Order<C>
      if ('end' in next) return
      if ('reason' in next) throw next.reason
      yield next.chunk
    }
  }
  return {
    ...{ producer, runs, aborted },
    say: (...chunks) => order(...chunks.map((chunk) => ({ chunk }))),
    end: () => order({ end: true }),
    fail: (reason) => order({ reason }),
  }
}
