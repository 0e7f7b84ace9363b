import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import {
  compressed,
  createCache,
  LoadTimeoutError,
  ReentrantRefillError,
  RefillFailedError,
} from '../../../dist/index.js'
import { deferred } from './deferred.js'

const HERD = Array.from({ length: 100 }, (_, index) => index)
let prefixes = 0

export function cachePromises(clients) {
  return {
    ...inMemory,
    ...withRedis('ioredis', clients),
    ...withRedis('node-redis', clients),
    'a Redis that is away costs no answer': async () => {
      const redis = new Redis({ port: 1, retryStrategy: () => 50 })
      redis.on('error', () => {})
      await using(createCache({ ttl: 1000, redis, commandTimeout: 200 }), async (cache) => {
        let loads = 0
        const answers = await Promise.all(HERD.map(() => cache.getOrRefill('key', () => ++loads)))
        assert.deepEqual(new Set(answers), new Set([1]))
      })
      redis.disconnect()
    },
  }
}

async function using(closable, work) {
  try {
    return await work(closable)
  } finally {
    await closable.close()
  }
}

const inMemory = {
  'a herd runs one loader': () =>
    using(createCache({ ttl: 1000 }), async (cache) => {
      let loads = 0
      const load = async () => (await delay(20), ++loads)
      const answers = await Promise.all(HERD.map(() => cache.getOrRefill('key', load)))
      assert.deepEqual([new Set(answers), loads, cache.peek('key')], [new Set([1]), 1, 1])
    }),
  'a loader that fails rejects all that wait, with its own reason': () =>
    using(createCache({ ttl: 1000 }), async (cache) => {
      const reason = new Error('down')
      const calls = HERD.map(() => cache.getOrRefill('key', () => Promise.reject(reason)))
      const ends = await Promise.allSettled(calls)
      assert(ends.every((end) => end.reason === reason))
    }),
  'a stale value is served while one loader runs': () =>
    using(createCache({ ttl: 20, staleWhileRevalidate: 60_000 }), async (cache) => {
      await cache.getOrRefill('key', () => 'old')
      await delay(30)
      const refilled = new Promise((resolve) => cache.on('refilled', resolve))
      assert.equal(await cache.getOrRefill('key', () => 'new', { ttl: 60_000 }), 'old')
      await refilled
      assert.equal(cache.peek('key'), 'new')
    }),
  'a stale value is served where the loader fails': () =>
    using(createCache({ ttl: 20, staleIfError: 60_000 }), async (cache) => {
      await cache.getOrRefill('key', () => 'old')
      await delay(30)
      assert.equal(await cache.getOrRefill('key', () => Promise.reject(new Error('down'))), 'old')
    }),
  'a caller that aborts leaves alone': () =>
    using(createCache({ ttl: 1000 }), async (cache) => {
      const leaver = new AbortController()
      const load = () => delay(30, 'value')
      const left = cache.getOrRefill('key', load, { signal: leaver.signal })
      const stayed = cache.getOrRefill('key', load)
      leaver.abort('enough')
      assert.equal(await left.catch((reason) => reason), 'enough')
      assert.equal(await stayed, 'value')
    }),
  'a loader that never ends is given up, and its signal aborts': () =>
    using(createCache({ ttl: 1000, loadTimeout: 50 }), async (cache) => {
      let signal
      const never = (context) => ((signal = context.signal), new Promise(() => {}))
      await assert.rejects(cache.getOrRefill('key', never), LoadTimeoutError)
      assert(signal.aborted)
    }),
  'a loader that asks for its own key is refused': () =>
    using(createCache({ ttl: 1000 }), async (cache) => {
      const self = () => cache.getOrRefill('key', self)
      await assert.rejects(cache.getOrRefill('key', self), ReentrantRefillError)
    }),
  'a loader that asks for its own key by way of others, later, is refused': () =>
    using(createCache({ ttl: 1000 }), async (cache) => {
      const first = async () => (await delay(5), cache.getOrRefill('second', second))
      const second = async () => (await delay(5), cache.getOrRefill('first', first))
      await assert.rejects(cache.getOrRefill('first', first), ReentrantRefillError)
    }),
  'what one caller does to a value, others do not see': () =>
    using(createCache({ ttl: 1000 }), async (cache) => {
      const plain = await cache.getOrRefill('plain', () => ({ list: [1] }))
      assert.throws(() => plain.list.push(2), TypeError)
      const date = await cache.getOrRefill('date', () => new Date(0))
      date.setFullYear(2000)
      assert.deepEqual(await cache.getOrRefill('date', () => null), new Date(0))
    }),
  'memory stays within its bound': () =>
    using(createCache({ ttl: 1000, memory: { maxEntries: 10 } }), async (cache) => {
      for (const index of HERD) await cache.set(`key:${index}`, index)
      assert.equal(HERD.filter((index) => cache.peek(`key:${index}`) !== undefined).length, 10)
    }),
  'channels tell what happens': () =>
    using(createCache({ ttl: 1000, name: 'told' }), async (cache) => {
      const told = []
      const listen = (message) => void told.push(message.cache)
      subscribe('herdlock:miss', listen)
      await cache.getOrRefill('key', () => 1)
      unsubscribe('herdlock:miss', listen)
      assert.deepEqual(told, ['told'])
    }),
}

function withRedis(kind, clients) {
  const redis = clients[kind]
  const options = () => ({ ttl: 60_000, redis, prefix: `smoke:${process.pid}:${kind}:${++prefixes}` })
  /** Two caches that know nothing of each other but this Redis, as two processes do. */
  const two = (work, more = {}) => {
    const shared = { ...options(), ...more }
    return using(createCache(shared), (one) => using(createCache(shared), (other) => work(one, other)))
  }
  const promises = {
    'values come back from Redis as they were': () =>
      two(async (one, other) => {
        const value = { a: new Date(0), b: new Map([[1, new Set([2n])]]), c: Buffer.from('bytes'), d: [undefined, -0] }
        await one.set('key', value)
        assert.deepEqual(await other.get('key'), value)
      }),
    'large values are stored compressed and come back': () =>
      two(
        async (one, other) => {
          await one.set('key', 'x'.repeat(1_000_000))
          assert.equal((await other.get('key'))?.length, 1_000_000)
        },
        { codec: compressed() },
      ),
    'of two processes one loads, and tells the other': () =>
      two(async (one, other) => {
        let loads = 0
        const load = async () => (await delay(50), ++loads)
        const answers = await Promise.all(
          [one, other].flatMap((cache) => HERD.map(() => cache.getOrRefill('key', load))),
        )
        assert.deepEqual(new Set(answers), new Set([1]))
      }),
    'a load that fails is told to the other process': () =>
      two(async (one, other) => {
        const started = deferred()
        const failing = one.getOrRefill('key', async () => {
          started.resolve()
          await delay(100)
          throw new Error('down')
        })
        failing.catch(() => {})
        await started.promise
        await assert.rejects(
          other.getOrRefill('key', () => 'alone'),
          RefillFailedError,
        )
        await assert.rejects(failing, /down/)
      }),
    'an invalidation reaches the memory of the other process': () =>
      two(async (one, other) => {
        await one.set('key', 'old')
        // Its message may come after the first read.
        while (other.peek('key') !== 'old') assert.equal(await other.getOrRefill('key', () => 'none'), 'old')
        await one.invalidate('key')
        while (other.peek('key') !== undefined) await delay(5)
      }),
    'an invalidated tag takes its entries along': () =>
      two(async (one, other) => {
        await one.getOrRefill('key', () => 'old', { tags: ['tag'] })
        await one.invalidateTags('tag')
        assert.equal(await other.getOrRefill('key', () => 'new'), 'new')
      }),
    'many keys are loaded by one call': () =>
      two(async (one, other) => {
        const keys = HERD.map((index) => `key:${index}`)
        const load = (missing) => new Map(missing.map((key) => [key, key.length]))
        assert.equal((await one.getOrRefillMany(keys, load)).size, 100)
        assert.equal((await other.getOrRefillMany(keys, () => new Map())).get('key:99'), 6)
      }),
    'a closed cache leaves the client open': async () => {
      await two((one, other) => Promise.all([one.set('a', 1), other.set('b', 2)]))
      assert.equal(await redis.ping(), 'PONG')
    },
  }
  return Object.fromEntries(Object.entries(promises).map(([name, keep]) => [`${kind}: ${name}`, keep]))
}
