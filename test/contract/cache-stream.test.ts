import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import type { StreamOptions } from '../../src/cache/stream/options.ts'
import type { SharedStream } from '../../src/cache/stream/shared-stream.ts'
import { ClosedError, RefillFailedError, StreamLimitError } from '../../src/errors.ts'
import { eventually } from '../support/eventually.ts'
import { uniquePrefix } from '../support/shared-redis.ts'
import { toldProducer, type ToldProducer } from '../support/told-producer.ts'
import { cachesOn, hearEachOther, settled, setups, type Setup } from './cache-setups.ts'

const unused = (): never => {
  throw new Error('no producer was to run')
}

async function all<C>(stream: AsyncIterable<C>): Promise<C[]> {
  const chunks: C[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return chunks
}

function streamsOn(setup: Setup): ReturnType<typeof cachesOn> & { pair(options?: object): Promise<[Cache, Cache]> } {
  const { cacheWith, wholes } = cachesOn(setup)

  /** The same cache as two processes have it, which hear of each other; or without Redis twice as one has it. */
  async function pair(options = {}): Promise<[Cache, Cache]> {
    const prefix = uniquePrefix('stream')
    const one = cacheWith({ prefix, ...options })
    if (setup.options().redis === undefined) return [one, one]
    const two = cacheWith({ prefix, ...options })
    await hearEachOther([one, two])
    return [one, two]
  }

  return { cacheWith, wholes, pair }
}

/** A stream that runs in the cache and has said `first`, and its reader there, who has had that. */
async function running<C>(
  cache: Cache,
  told: ToldProducer<C>,
  first: C,
  options?: StreamOptions,
): Promise<AsyncIterator<C>> {
  const reader = cache.stream('key', told.producer, options)[Symbol.asyncIterator]()
  told.say(first)
  expect(await reader.next()).toEqual({ done: false, value: first })
  return reader
}

function rest<C>(reader: AsyncIterator<C>): Promise<C[]> {
  return all({ [Symbol.asyncIterator]: () => reader })
}

describe.each(setups)('stream on $name', (setup) => {
  const { pair } = streamsOn(setup)

  test('one producer for all who ask while it runs, in every process: each gets what has come, and the rest', async () => {
    const [one, two] = await pair()
    const told = toldProducer<string>()
    const reader = await running(one, told, 'a')
    told.say('b', '')
    const late = [one, two, two].map((cache) => cache.stream('key', unused)[Symbol.asyncIterator]())
    for (const each of late) expect(await each.next()).toEqual({ done: false, value: 'a' })
    told.say('c')
    for (const each of late) expect(await each.next()).toEqual({ done: false, value: 'b' })
    told.end()
    expect(await rest(reader)).toEqual(['b', '', 'c'])
    for (const each of late) expect(await rest(each)).toEqual(['', 'c'])
    expect(told.runs.map(({ key, resumeFrom }) => ({ key, resumeFrom }))).toEqual([{ key: 'key', resumeFrom: 0 }])
  })

  test('a finished stream is an entry: replayed, read as a list, and gone when it is invalidated or its tag is', async () => {
    const [one, two] = await pair()
    const run = async (letter: string): Promise<void> => {
      const told = toldProducer<string>()
      told.say(letter, 'end')
      told.end()
      expect(await all(one.stream('key', told.producer, { tags: ['tag'] }))).toEqual([letter, 'end'])
      expect(await all(two.stream('key', unused))).toEqual([letter, 'end'])
      expect(await all(one.stream('key', unused))).toEqual([letter, 'end'])
      await eventually('it is stored', async () => (await two.get('key')) !== undefined, { every: 2 })
      expect(await two.get('key')).toEqual([letter, 'end'])
    }
    await run('a')
    await one.invalidate('key')
    await run('b')
    await one.invalidateTags('tag')
    await run('c')
    await one.set('key', ['x', 'y'])
    expect(await all(one.stream('key', unused))).toEqual(['x', 'y'])
  })

  test('chunks keep their boundaries, their order and what they are', async () => {
    const [one, two] = await pair()
    const told = toldProducer<unknown>()
    const chunks = ['', 'é', '\ud83d', new Uint8Array([0, 255]), { a: [1, null] }, 1.5, null, true, 'x'.repeat(100_000)]
    told.say(...chunks)
    const first = one.stream('key', told.producer)[Symbol.asyncIterator]()
    await first.next()
    const other = all(two.stream('key', unused))
    told.end()
    expect(await other).toEqual(chunks)
    expect(await rest(first)).toEqual(chunks.slice(1))
    expect(await all(two.stream('key', unused))).toEqual(chunks)
    for (const stream of [one.stream<unknown>('key', unused), two.stream<unknown>('key', unused)]) {
      const bytes = Buffer.from(await new Response(stream.readable()).arrayBuffer())
      const tail = `{"a":[1,null]}\n1.5\nnull\ntrue\n${'x'.repeat(100_000)}`
      expect(bytes.equals(Buffer.concat([Buffer.from('é\ufffd'), Buffer.from([0, 255]), Buffer.from(tail)]))).toBe(true)
    }
  })

  test('a failure reaches all readers, after what came before it, and is not stored', async () => {
    const [one, two] = await pair()
    const told = toldProducer<string>()
    const reader = await running(one, told, 'a')
    const other = two.stream('key', unused)[Symbol.asyncIterator]()
    expect(await other.next()).toEqual({ done: false, value: 'a' })
    const failure = new RangeError('no more')
    told.fail(failure)
    await expect(rest(reader)).rejects.toBe(failure)
    const error: unknown = await rest(other).catch((reason: unknown) => reason)
    expect(error === failure || error instanceof RefillFailedError).toBe(true)
    await expect(rest(other)).resolves.toEqual([]) // an iterator is over after an error
    const again = toldProducer<string>()
    again.say('b')
    again.end()
    await Promise.all([one, two].map(settled))
    expect(await all(two.stream('key', again.producer))).toEqual(['b'])
  })

  test('when the last reader of all processes leaves, the producer is aborted; the next one begins anew', async () => {
    const [one, two] = await pair()
    const told = toldProducer<string>()
    const reader = await running(one, told, 'a')
    const other = two.stream('key', unused)[Symbol.asyncIterator]()
    expect(await other.next()).toEqual({ done: false, value: 'a' })
    await reader.return?.()
    told.say('b')
    expect(await other.next()).toEqual({ done: false, value: 'b' })
    expect(told.aborted).toEqual([])
    await other.return?.()
    await eventually('it is aborted', () => told.aborted.length > 0, { every: 2 })
    expect(told.aborted).toMatchObject([{ name: 'AbortError' }])
    const again = toldProducer<string>()
    const readers = all(two.stream('key', again.producer))
    again.say('c')
    again.end()
    expect(await readers).toEqual(['c'])
  })

  test.each<[string, (cache: Cache) => Promise<void>]>([
    ['an invalidation', (cache) => cache.invalidate('key')],
    ['a change of its tag', (cache) => cache.invalidateTags('tag')],
  ])('a reader from before %s goes on; one that comes after it starts a new producer', async (_what, change) => {
    const [one, two] = await pair()
    const options = { tags: ['tag'] }
    const told = toldProducer<string>()
    const reader = await running(one, told, 'a', options)
    const other = two.stream('key', unused, options)[Symbol.asyncIterator]()
    expect(await other.next()).toEqual({ done: false, value: 'a' })
    const heard = new Promise((resolve) => one.on('invalidated', resolve))
    await change(two)
    await heard
    // On a Cluster the producer's process is the one that ends the run for others.
    if (one !== two) await eventually('its lease is free', async () => (await two.leases()).items.length === 0)
    const newer = toldProducer<string>()
    const late = [one, two].map((cache) => all(cache.stream('key', newer.producer, options)))
    await eventually('the new one runs', () => newer.runs.length > 0, { every: 2 })
    told.say('b')
    newer.say('new')
    newer.end()
    for (const each of late) expect(await each).toEqual(['new'])
    expect(await other.next()).toEqual({ done: false, value: 'b' })
    told.end()
    expect(await rest(other)).toEqual([])
    expect(await rest(reader)).toEqual(['b'])
    expect(newer.runs).toHaveLength(1)
    expect(await all(two.stream('key', unused))).toEqual(['new'])
  })
})

/** Where the details are tested, which hang on no client. */
const some = ['memory alone', 'memory and Redis (ioredis 6)', 'Redis alone', 'a Cluster, without memory']

describe.each(setups.filter(({ name }) => some.includes(name)))('details of streams on $name', (setup) => {
  const { cacheWith, wholes, pair } = streamsOn(setup)
  const hasRedis = (): boolean => setup.options().redis !== undefined

  test('what one reader does to a chunk, no other sees', async () => {
    const [one, two] = await pair()
    const told = toldProducer<Uint8Array>()
    const own = new Uint8Array([1])
    told.say(own)
    told.end()
    const spoilt = async (stream: SharedStream<Uint8Array>): Promise<void> => {
      const [chunk] = await all(stream)
      expect(chunk).toEqual(new Uint8Array([1]))
      ;(chunk as Uint8Array)[0] = 9
    }
    await Promise.all([one, one, two, two].map((cache) => spoilt(cache.stream('key', told.producer))))
    for (const cache of [one, one, two, two]) await spoilt(cache.stream('key', unused))
    expect(own).toEqual(new Uint8Array([1]))
  })

  test('beyond a bound a stream fails for all', async () => {
    const [one, two] = await pair()
    const bounds = [{ maxChunkBytes: 3 }, { maxBytes: 5 }, { maxChunks: 2 }, { maxDuration: 200 }]
    for (const options of bounds) {
      const told = toldProducer<string>()
      const key = Object.keys(options)[0] as string
      const reader = one.stream(key, told.producer, options)[Symbol.asyncIterator]()
      told.say('abc')
      await reader.next()
      const other = all(two.stream(key, unused))
      const [bound] = Object.values(options)
      if (key !== 'maxDuration') told.say('d', 'ef', 'ghij')
      const limit = { name: 'StreamLimitError', option: key, bound }
      await expect(rest(reader)).rejects.toMatchObject(limit)
      await expect(other).rejects.toThrow(StreamLimitError)
      await expect(other).rejects.toMatchObject(limit)
      expect(told.runs[0]?.signal.aborted).toBe(key === 'maxDuration')
    }
  })

  test('with keep it goes on to its end, and is stored', async () => {
    const [one, two] = await pair()
    const told = toldProducer<string>()
    const reader = await running(one, told, 'a', { keep: true })
    await reader.return?.()
    told.say('b')
    told.end()
    expect(await all(two.stream('key', unused))).toEqual(['a', 'b'])
    expect(told.aborted).toEqual([])
  })

  test('one that is to linger is joined by a reader who comes in time', async () => {
    const [one, two] = await pair()
    const told = toldProducer<string>()
    const reader = await running(one, told, 'a', { linger: 10_000 })
    await reader.return?.()
    const other = two.stream('key', unused)[Symbol.asyncIterator]()
    expect(await other.next()).toEqual({ done: false, value: 'a' })
    told.end()
    expect(await rest(other)).toEqual([])
    expect(told.aborted).toEqual([])
  })

  test('a reader’s signal rejects it alone, with its reason', async () => {
    const [one, two] = await pair()
    const told = toldProducer<string>()
    await running(one, told, 'a')
    const controller = new AbortController()
    const other = two.stream('key', unused, { signal: controller.signal })[Symbol.asyncIterator]()
    await other.next()
    const next = other.next()
    controller.abort('enough')
    await expect(next).rejects.toBe('enough')
    expect(told.aborted).toEqual([])
    const tooLate = two.stream('key', unused, { signal: controller.signal })
    await expect(all(tooLate)).rejects.toBe('enough')
  })

  test('something stale is replayed at once, while a new stream is produced', async () => {
    const [one] = await pair({ staleWhileRevalidate: 60_000 })
    await one.set('key', ['old'])
    await one.expire('key')
    const told = toldProducer<string>()
    expect(await all(one.stream('key', told.producer))).toEqual(['old'])
    // Of several instances one that refuses tells nothing of what is stale.
    const again = Array.isArray(setup.options().redis) ? ['old'] : await all(one.stream('key', unused))
    expect(again).toEqual(['old'])
    told.say('new')
    told.end()
    await eventually('the new one is stored', async () => (await all(one.stream('key', unused)))[0] === 'new')
    expect(told.runs).toHaveLength(1)
  })

  test('a producer that fails before it has said anything: readers of all processes get what is stale', async () => {
    const [one, two] = await pair({ staleIfError: 60_000 })
    await one.set('key', ['old', 'older'])
    await one.expire('key')
    const told = toldProducer<string>()
    const first = all(one.stream('key', told.producer))
    await eventually('it runs', () => told.runs.length > 0)
    const others = [one, two].map((each) => all(each.stream('key', told.producer)))
    told.fail(new Error('no'))
    for (const reading of [first, ...others]) expect(await reading).toEqual(['old', 'older'])
    expect(told.runs).toHaveLength(1)
  })

  test('a producer that fails after it has said something: readers get that, and its error', async () => {
    const [one] = await pair({ staleIfError: 60_000 })
    await one.set('key', ['old'])
    await one.expire('key')
    const told = toldProducer<string>()
    const reader = await running(one, told, 'new')
    told.fail(new Error('no'))
    await expect(rest(reader)).rejects.toThrow('no')
  })

  test('closing ends readers and producers; another process produces anew', async () => {
    const [one, two] = await pair()
    const told = toldProducer<string>()
    const reader = await running(one, told, 'a')
    const pending = reader.next()
    await wholes[0]?.close()
    await expect(pending).rejects.toThrow(ClosedError)
    expect(told.aborted).toMatchObject([{ code: 'CLOSED' }])
    expect(() => one.stream('key', unused)).toThrow(ClosedError)
    const again = toldProducer<string>()
    again.say('b')
    again.end()
    const elsewhere = hasRedis() ? two : cacheWith()
    expect(await all(elsewhere.stream('key', again.producer))).toEqual(['b'])
  })
})
