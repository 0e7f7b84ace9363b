import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { cacheLab, gatedLoad, settled, warmUp } from '../support/cache-lab.ts'
import { deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'

const lab = cacheLab()

/** What Redis has for the key, if anything. */
async function stored(key: string): Promise<unknown> {
  const text = await lab.redis.command('GET', `${lab.prefix}:{${key}}`)
  return text === null ? undefined : JSON.parse(/J(.*)$/s.exec(text as string)?.[1] ?? '')
}

/** Messages that were sent until now have arrived at the cache. */
async function caughtUp(cache: Cache, teller: Cache): Promise<void> {
  const mark = `mark ${performance.now()}`
  const heard = new Promise<void>((resolve) => {
    const stop = cache.on('invalidated', ({ key }) => {
      if (key !== mark) return
      stop()
      resolve()
    })
  })
  await teller.invalidate(mark)
  await heard
}

describe('changes of one key at once', () => {
  const TAGGED = { tags: ['own'] }
  type Step = (cache: Cache, key: string) => Promise<unknown>
  const steps: Record<string, Step> = {
    set: (cache, key) => cache.set(key, 'set'),
    'set with a tag': (cache, key) => cache.set(key, 'set with a tag', TAGGED),
    invalidate: (cache, key) => cache.invalidate(key),
    expire: (cache, key) => cache.expire(key),
    'invalidate the tag': (cache) => cache.invalidateTags('own'),
    'invalidate another tag': (cache) => cache.invalidateTags('another'),
    read: (cache, key) => cache.getOrRefill(key, () => 'loaded'),
  }
  const orders = Object.keys(steps).flatMap((first) =>
    Object.keys(steps).flatMap((second) => Object.keys(steps).map((third) => [first, second, third] as const)),
  )

  test.each(['one process', 'two processes'])(
    'in every order, of %s: memory never differs from Redis',
    async (who) => {
      const [a, b] = [lab.cache(), lab.cache()]
      await warmUp(lab.redis, a, b)
      await a.invalidateTags(['own', 'another']) // their keys exist, so that asking for them takes no longer
      const wrong: string[] = []
      for (const [n, order] of orders.entries()) {
        const key = `key ${n}`
        await a.set(key, 'old')
        const caches = who === 'one process' ? [a, a, a] : [a, b, a]
        await Promise.all(order.map((step, i) => (steps[step] as Step)(caches[i] as Cache, key)))
        await Promise.all([settled(a), settled(b)])
        await caughtUp(a, b)
        await caughtUp(b, a)
        const inRedis = await stored(key)
        for (const cache of [a, b]) {
          const inMemory = cache.peek<string>(key)
          if (inMemory !== undefined && inMemory !== inRedis) wrong.push(`${order.join(', ')}: ${inMemory}`)
        }
      }
      expect(wrong).toEqual([])
    },
    60_000,
  )
})

describe('invalidateTags beats a load under way', () => {
  test.each([
    ['that is stored, of a tag that its call names', (): void => {}, { tags: ['t'] }],
    ['that is not stored, of a tag that its call names', (context: Context) => context.doNotStore(), { tags: ['t'] }],
    ['that is stored, of a tag that only its loader names', (context: Context) => context.cacheFor(TAGS), OTHER],
    [
      'that is not stored, of a tag that only its loader names',
      (context: Context) => {
        context.cacheFor(TAGS)
        context.doNotStore()
      },
      OTHER,
    ],
  ])('%s', async (_how, declare, options) => {
    const [a, b] = [lab.cache(), lab.cache()]
    await warmUp(lab.redis, a, b)
    let source = 'old'
    const [begun, gate] = [deferred<void>(), deferred<void>()]
    let isFirst = true
    const loader = async (context: Context): Promise<string> => {
      const read = source
      declare(context)
      if (isFirst) {
        isFirst = false
        begun.resolve()
        await gate.promise
      }
      return read
    }
    const first = a.getOrRefill('key', loader, options)
    await begun.promise
    source = 'new'
    await a.invalidateTags('t')
    const later = [a.getOrRefill('key', loader, options), b.getOrRefill('key', loader, options)]
    await eventually('both wait', () => a.stats().flights === 2 && b.stats().flights === 1)
    gate.resolve()
    expect(await first).toBe('old')
    expect(await Promise.all(later)).toEqual(['new', 'new'])
    await settled(a)
    expect(await a.getOrRefill('key', loader, options)).toBe('new')
  })

  test('an entry that was read before it, though the message overtakes the reply', async () => {
    const reader = lab.cache()
    const other = lab.cache()
    await warmUp(lab.redis, reader, other)
    for (let n = 0; n < 100; n++) {
      const key = `key ${n}`
      await other.getOrRefill(key, ({ cacheFor }) => (cacheFor({ tags: ['t'] }), 'old'))
      await settled(other)
      // The read and the change travel at once, on connections of their own.
      const read = reader.getOrRefill(key, () => 'new', { tags: ['u'] })
      await other.invalidateTags('t')
      await read
      await settled(reader)
      await caughtUp(reader, other)
      expect(reader.peek(key)).not.toBe('old')
    }
  })

  test('any number of tags', async () => {
    const cache = lab.cache()
    const tags = Array.from({ length: 2500 }, (_, n) => `tag ${n}`)
    const tagsOf = [tags.slice(0, 1), tags.slice(1300, 1301), tags.slice(-1)]
    for (const [n, own] of tagsOf.entries()) await cache.set(`key ${n}`, 'old', { tags: own })
    await cache.set('other', 'stays', { tags: ['none of them'] })
    await cache.invalidateTags(tags)
    for (const n of tagsOf.keys()) expect(await cache.get(`key ${n}`)).toBeUndefined()
    expect(await cache.get('other')).toBe('stays')
  })
})

interface Context {
  cacheFor(options: { tags: string[] }): void
  doNotStore(): void
}
const TAGS = { tags: ['t'] }
const OTHER = { tags: ['another'] }

describe('a value that its callers have', () => {
  test('is not handed out beyond its ttl while Redis takes its time to store it', async () => {
    const cache = lab.cache({ commandTimeout: 1000 })
    await warmUp(lab.redis, cache)
    const load = gatedLoad<string>()
    const first = cache.getOrRefill('key', load.loader, { ttl: 20 })
    await load.started
    lab.redis.pause()
    load.gate.resolve('first')
    expect(await first).toBe('first')
    expect(cache.peek('key')).toBe('first')
    await eventually('it has expired', () => cache.peek('key') === undefined, { every: 1 })
    expect(await cache.getOrRefill('key', () => 'second')).toBe('second')
  })

  test.each([
    ['undefined', (): unknown => undefined],
    ['not to be stored', ({ doNotStore }: Context): unknown => (doNotStore(), {})],
  ])(
    'is loaded anew by who asks after them, if it is %s, also while the end is being acknowledged',
    async (_what, load) => {
      const cache = lab.cache({ commandTimeout: 300 })
      await warmUp(lab.redis, cache)
      let runs = 0
      const started = deferred<void>()
      const gate = deferred<void>()
      const loader = async (context: Context): Promise<unknown> => {
        runs++
        started.resolve()
        await gate.promise
        return load(context)
      }
      const first = cache.getOrRefill('key', loader)
      await started.promise
      lab.redis.pause()
      gate.resolve()
      const own = await first
      const later = await cache.getOrRefill('key', loader)
      expect(runs).toBe(2)
      expect(own === undefined || later !== own).toBe(true)
    },
  )

  test('is taken out of memory again when its commit turns out to have been refused', async () => {
    const [a, b] = [lab.cache(), lab.cache()]
    await warmUp(lab.redis, a)
    const load = gatedLoad<string>()
    const first = a.getOrRefill('key', load.loader)
    await load.started
    await b.set('key', 'newer')
    load.gate.resolve('older')
    expect(await first).toBe('older')
    await settled(a)
    expect(a.peek('key')).not.toBe('older')
    expect(await a.getOrRefill('key', () => 'loaded')).toBe('newer')
  })
})

test('with tracking a DEL by hand right after a read leaves nothing old in memory', async () => {
  const cache = lab.cache({ memory: { tracking: true } })
  await warmUp(lab.redis, cache)
  const admin = new Redis(lab.redis.url)
  lab.atEnd(async () => admin.disconnect())
  const other = lab.cache({ memory: false })
  for (let n = 0; n < 200; n++) {
    const key = `key ${n}`
    await other.set(key, 'old')
    const read = cache.getOrRefill(key, () => 'new')
    await admin.del(`${lab.prefix}:{${key}}`)
    await read
    await settled(cache)
    await caughtUp(cache, other)
    expect(cache.peek(key)).not.toBe('old')
  }
})

test('what was stored in a process that has just begun stays in memory', async () => {
  const cache = lab.cache()
  for (let n = 0; n < 50; n++) await cache.getOrRefill(`key ${n}`, () => n)
  await Promise.all(Array.from({ length: 50 }, (_, n) => cache.set(`set ${n}`, n)))
  await eventually('the inbox is open', () => cache.stats().redis[0]?.messages === 'connected')
  expect(cache.stats().entries).toBe(100)
})

test('after a gap nobody joins a load that began before it', async () => {
  const [cache, other] = [lab.cache(), lab.cache()]
  await warmUp(lab.redis, cache, other)
  const old = gatedLoad<string>()
  const first = cache.getOrRefill('key', old.loader)
  await old.started
  const connections = (await lab.redis.command('CLIENT', 'LIST', 'TYPE', 'PUBSUB')) as string
  for (const [, id] of connections.matchAll(/^id=(\d+)/gm))
    await lab.redis.command('CLIENT', 'KILL', 'ID', id as string)
  await other.invalidate('key')
  await eventually('messages arrive again', () => cache.stats().redis[0]?.messages === 'connected')
  const later = cache.getOrRefill('key', () => 'new')
  expect(await later).toBe('new')
  old.gate.resolve('old')
  expect(await first).toBe('old')
  await settled(cache)
  expect(cache.peek('key')).toBe('new')
})
