import type { Cache } from '../../src/cache/cache.ts'
import type { Producer, StreamOptions } from '../../src/cache/stream/options.ts'
import { toldProducer, type ToldProducer } from './told-producer.ts'

/** What a stream, or a reader of one, gets from now on. */
export async function rest<C>(stream: AsyncIterable<C> | AsyncIterator<C>): Promise<C[]> {
  const chunks: C[] = []
  const iterable = Symbol.asyncIterator in stream ? stream : { [Symbol.asyncIterator]: () => stream }
  for await (const chunk of iterable) chunks.push(chunk)
  return chunks
}

/** For who is never to produce. */
export const unused = (): never => {
  throw new Error('no producer was to run')
}

/** A reader of the stream `key`. */
export function iterate<C>(cache: Cache, producer: Producer<C>, options?: StreamOptions): AsyncIterableIterator<C> {
  return cache.stream('key', producer, options)[Symbol.asyncIterator]()
}

/** A stream that is under way in two caches. */
export interface SharedByTwo {
  readonly told: ToldProducer<string>
  /** Reads beside the producer. */
  readonly own: AsyncIterableIterator<string>
  readonly other: AsyncIterableIterator<string>
}

/** Both have read what it has said so far, `a`. `producing` produces, and `reading` has a producer for later. */
export async function shareStream(
  producing: Cache,
  reading: Cache,
  options: StreamOptions = {},
  later: Producer<string> = unused,
): Promise<SharedByTwo> {
  const told = toldProducer<string>()
  told.say('a')
  const own = iterate(producing, told.producer, options)
  await own.next()
  const other = iterate(reading, later, options)
  await other.next()
  return { told, own, other }
}
