import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import type { Producer } from '../../src/cache/stream/options.ts'
import { ProducerLostError } from '../../src/errors.ts'
import { cacheLab, settled, subscribers, warmUp } from '../support/cache-lab.ts'
import { deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { iterate, rest, shareStream, unused } from '../support/read-stream.ts'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { toldProducer } from '../support/told-producer.ts'

/** A producer is cut off from Redis after a change: what comes of its stream then. */
const lab = cacheLab()
const SHORT = { lockTtl: 400, commandTimeout: 200 }
const RESUME = { onProducerLost: 'resume', tags: ['tag'] } as const
let proxy: TcpProxy
beforeEach(async () => {
  proxy = await startProxy(lab.redis)
})
afterEach(() => proxy.close())

/** A stream that has said `a`, produced in one cache and read in another one. */
async function running(): Promise<{ other: Cache; reader: AsyncIterator<string>; next: typeof next }> {
  const producing = lab.cache(SHORT, `redis://${proxy.host}:${proxy.port}`)
  const other = lab.cache(SHORT)
  await warmUp(lab.redis, producing, other)
  const next = toldProducer<string>()
  const { other: reader } = await shareStream(producing, other, RESUME, next.producer)
  return { other, reader, next }
}

test('what was resumed over a change of its tag is read to its end, joined by nobody, and not stored', async () => {
  const { other, reader, next } = await running()
  await other.invalidateTags('tag')
  proxy.pause()
  next.say('a', 'b', 'c')
  expect(await reader.next()).toEqual({ done: false, value: 'b' })
  const third = lab.cache(SHORT)
  await third.getOrRefill('warm-up', () => 'warm')
  const later = toldProducer<string>()
  later.say('new')
  const latest = iterate(third, later.producer, RESUME)
  expect(await latest.next()).toEqual({ done: false, value: 'new' })
  next.end()
  expect(await rest(reader)).toEqual(['c'])
  expect(next.runs.map(({ resumeFrom }) => resumeFrom)).toEqual([1])
  await settled(other)
  expect(await lab.cache().get('key')).toBeUndefined()
  later.end()
  expect(await rest(latest)).toEqual([])
})

test('who begins after a change of its tag resumes nothing of what was before', async () => {
  const producing = lab.cache(SHORT, `redis://${proxy.host}:${proxy.port}`)
  const other = lab.cache(SHORT)
  await warmUp(lab.redis, producing, other)
  const told = toldProducer<string>()
  told.say('a')
  await iterate(producing, told.producer, RESUME).next()
  const length = async (log: string | undefined): Promise<number> =>
    log === undefined ? 0 : Number(await lab.redis.command('LLEN', log))
  const log = async (): Promise<string | undefined> =>
    (await lab.keys()).find((key) => /:stream:\{key\}:[^:]+:[^:]+:[^:]+$/.test(key))
  await eventually('it is published', async () => (await length(await log())) === 2)
  proxy.pause()
  await eventually(
    'its lease has ended',
    async () => (await lab.redis.command('EXISTS', `${lab.prefix}:{key}:lease`)) === 0,
  )
  await other.invalidateTags('tag')
  const next = toldProducer<string>()
  next.say('new')
  next.end()
  expect(await rest(iterate(other, next.producer, RESUME))).toEqual(['new'])
  expect(next.runs.map(({ resumeFrom }) => resumeFrom)).toEqual([0])
})

test('what a change has detached from its entry is not resumed', async () => {
  const { other, reader, next } = await running()
  await other.invalidate('key')
  proxy.pause()
  next.say('new')
  next.end()
  await expect(rest(reader)).rejects.toThrow(ProducerLostError)
  const again = other.stream('key', next.producer, RESUME)
  expect(await rest(again[Symbol.asyncIterator]())).toEqual(['new'])
  expect(next.runs.every(({ resumeFrom }) => resumeFrom === 0)).toBe(true)
  await settled(other)
  expect(await lab.cache().get('key')).toEqual(['new'])
})

test.each<[string, (cache: Cache) => Promise<void>]>([
  ['entry', (cache) => cache.invalidate('key')],
  ['tag', (cache) => cache.invalidateTags('tag')],
  ['tag that only its producer names', (cache) => cache.invalidateTags('late')],
])(
  'what is resumed while Redis is away, after a change of its %s, is read to its end, joined by nobody, and not kept',
  async (_what, change) => {
    const [producing, other] = [lab.cache(SHORT), lab.cache(SHORT)]
    await warmUp(lab.redis, producing, other)
    const next = toldProducer<string>()
    const { other: reader } = await shareStream(producing, other, RESUME, (context) => {
      context.cacheFor({ tags: ['late'] })
      return next.producer(context)
    })
    await change(other)
    lab.redis.pause()
    next.say('a', 'b')
    expect(await reader.next()).toEqual({ done: false, value: 'b' })
    const later = toldProducer<string>()
    later.say('new')
    const latest = iterate(other, later.producer, RESUME)
    expect(await latest.next()).toEqual({ done: false, value: 'new' })
    next.end()
    expect(await rest(reader)).toEqual([])
    expect(next.runs.map(({ resumeFrom }) => resumeFrom)).toEqual([1])
    expect(other.peek('key')).toBeUndefined()
    later.end()
    expect(await rest(latest)).toEqual([])
    lab.redis.resume()
    await settled(other)
    expect(other.peek('key')).not.toEqual(['a', 'b'])
  },
)

test.each<[string, (cache: Cache) => Promise<void>]>([
  ['invalidation', (cache) => cache.invalidateTags('tag')],
  ['expiry', (cache) => cache.expireTags('tag')],
])(
  'who comes after the %s of its tag has another producer, in every process; those who read go on',
  async (_what, change) => {
    const [producing, reading, third] = [lab.cache(), lab.cache(), lab.cache()]
    await warmUp(lab.redis, producing, reading, third)
    const options = { tags: ['tag'] }
    const { told, own, other } = await shareStream(producing, reading, options)
    const heard = new Promise<unknown>((resolve) => producing.on('invalidated', resolve))
    await change(reading)
    await heard
    const next = toldProducer<string>()
    next.say('new')
    next.end()
    const again = [reading, third, producing].map((cache) => rest(iterate(cache, next.producer, options)))
    expect(await Promise.all(again)).toEqual([['new'], ['new'], ['new']])
    expect(next.runs).toHaveLength(1)
    told.say('b')
    told.end()
    expect(await Promise.all([rest(own), rest(other)])).toEqual([['b'], ['b']])
    for (const cache of [producing, reading, third]) await settled(cache)
    expect(await lab.cache().get('key')).toEqual(['new'])
  },
)

test('a tag that only the producer has named counts once its process has heard of the change', async () => {
  const [producing, reading] = [lab.cache(), lab.cache()]
  await warmUp(lab.redis, producing, reading)
  const told = toldProducer<string>()
  told.say('a')
  const own = iterate(producing, (context) => {
    context.cacheFor({ tags: ['late'] })
    return told.producer(context)
  })
  await own.next()
  const heard = new Promise<unknown>((resolve) => producing.on('invalidated', resolve))
  await reading.invalidateTags('late')
  await heard
  const next = toldProducer<string>()
  next.say('new')
  next.end()
  expect(await rest(iterate(producing, next.producer))).toEqual(['new'])
  told.end()
  expect(await rest(own)).toEqual([])
})

test('a reader that comes after a change of its tag gets nothing of a run that failed before, while its lease is still held', async () => {
  const [producing, reading, third] = [lab.cache(SHORT), lab.cache(SHORT), lab.cache(SHORT)]
  await warmUp(lab.redis, producing, reading, third)
  const options = { tags: ['tag'] }
  const { told, own, other } = await shareStream(producing, reading, options)
  const lease = `${lab.prefix}:{key}:lease`
  const token = await lab.redis.command('GET', lease)
  told.fail(new Error('down'))
  for (const each of [own, other]) await expect(rest(each)).rejects.toThrow()
  await settled(producing)
  await lab.redis.command('SET', lease, token as string, 'PX', '300') // a slow process gives it back later
  await third.invalidateTags('tag')
  const next = toldProducer<string>()
  next.say('new')
  next.end()
  expect(await rest(iterate(third, next.producer, options))).toEqual(['new'])
})

test('what is produced anew behind a stale stream is stored, though its tag was changed before', async () => {
  const cache = lab.cache({ ttl: 50, jitter: 0, staleWhileRevalidate: 60_000 })
  await warmUp(lab.redis, cache)
  await cache.invalidateTags('tag')
  await cache.set('key', ['old'], { tags: ['tag'] })
  const next = toldProducer<string>()
  next.say('new')
  next.end()
  const produce: Producer<string> = (context) => {
    context.cacheFor({ ttl: 60_000 })
    return next.producer(context)
  }
  const reads = async (): Promise<string[]> => rest(iterate(cache, produce, { tags: ['tag'] }))
  await eventually('its ttl has ended', async () => (await reads()) && next.runs.length > 0)
  await settled(cache)
  expect(await lab.cache().get('key')).toEqual(['new'])
})

test('a change of its tag from before the producer began is none of its run, however long its reader had waited', async () => {
  const [loading, producing, third] = [lab.cache(), lab.cache(), lab.cache()]
  await warmUp(lab.redis, loading, producing, third)
  const tags = ['tag']
  const gate = deferred<string[]>()
  const loaded = loading.getOrRefill('key', () => gate.promise, { tags })
  const isWaitedFor = async (): Promise<boolean> =>
    (await lab.redis.command('EXISTS', `${lab.prefix}:{key}:waiters`)) === 1
  await eventually('it loads', async () => (await lab.keys()).includes(`${lab.prefix}:{key}:lease`))
  const next = toldProducer<string>()
  next.say('a')
  const reader = iterate(producing, next.producer, { tags })
  const first = reader.next()
  await eventually('the reader waits', isWaitedFor)
  await producing.invalidateTags('tag')
  gate.resolve(['old'])
  await loaded
  expect(await first).toEqual({ done: false, value: 'a' })
  await producing.invalidateTags('other')
  const later = iterate(third, unused, { tags })
  expect(await later.next()).toEqual({ done: false, value: 'a' })
  next.end()
  for (const each of [reader, later]) expect(await rest(each)).toEqual([])
})

test.each<[string, (cache: Cache) => Promise<void>, string]>([
  ['nothing changes', async () => {}, 'a'],
  ['its tag is changed', (cache) => cache.invalidateTags('tag'), 'new'],
])(
  'messages are lost while %s: Redis is asked whether who comes later is to have another producer',
  async (_what, change, expected) => {
    const [producing, reading, changing] = [lab.cache(), lab.cache(), lab.cache()]
    await warmUp(lab.redis, producing, reading, changing)
    const next = toldProducer<string>()
    next.say('new')
    const { told, own, other } = await shareStream(producing, reading, { tags: ['tag'] }, next.producer)
    await lab.redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await change(changing)
    await eventually('messages arrive again', async () => (await subscribers(lab.redis)) === 3)
    // Redis knows of the new subscriptions before these processes do.
    const begin = async (cache: Cache): Promise<AsyncIterator<string> | undefined> => {
      const later = iterate(cache, next.producer, { tags: ['tag'] })
      if ((await later.next()).value === expected) return later
      await later.return?.()
      return undefined
    }
    const begun = [producing, reading].map((cache) => eventually('it has asked', () => begin(cache)))
    const laters = (await Promise.all(begun)) as AsyncIterator<string>[]
    expect(next.runs).toHaveLength(expected === 'new' ? 1 : 0)
    for (const each of [told, next]) each.end()
    for (const each of [own, other, ...laters]) expect(await rest(each)).toEqual([])
  },
)
