import { setTimeout } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import type { CacheOptions } from '../../src/cache/options.ts'
import { insideOf } from '../../src/cache/watch/inside.ts'
import type { FleetLine } from '../../src/redis/fleet-line.ts'
import { partOf } from '../../src/store/key-part.ts'
import { cacheLab, gatedLoad, settled } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { onPublished } from '../support/published.ts'
import { startRedis } from '../support/redis-server.ts'

const lab = cacheLab()

const backplane = (): string => `${lab.prefix}:backplane`
const channelOf = (part: string): string => `herdlock:inbox:part:${backplane()}:${part}`

/** ms for which an entry is trusted whose changes are not heard of yet. */
const UNSYNCED = 50
const HELD: Partial<CacheOptions> = { memory: { messages: 'held', unsyncedTtl: UNSYNCED } }

async function connected(options: Partial<CacheOptions> = HELD): Promise<Cache> {
  const cache = lab.cache(options)
  await cache.getOrRefill('first', () => 1)
  await eventually('messages arrive', () => cache.stats().redis[0]?.messages === 'connected')
  return cache
}

const numsub = async (...channels: string[]): Promise<number[]> => {
  const reply = (await lab.redis.command('PUBSUB', 'NUMSUB', ...channels)) as (string | number)[]
  return channels.map((_, n) => Number(reply[2 * n + 1]))
}

/** Resolves when the cache hears of changes of the key, and has it in memory for its whole ttl. */
async function hold(cache: Cache, key: string, value: unknown, options = {}): Promise<void> {
  await eventually(`it hears of ${key}`, async () => {
    await cache.getOrRefill(key, () => value, options)
    await settled(cache)
    await setTimeout(UNSYNCED)
    return cache.peek(key) !== undefined
  })
}

/** What arrives on these channels, without the senders. */
async function listenTo(...channels: string[]): Promise<string[]> {
  const heard: string[] = []
  const stop = await onPublished(lab.redis, channels, (_channel, text) => void heard.push(text.slice(22)))
  lab.atEnd(async () => stop())
  return heard
}

describe('a cache that hears only of what it holds', () => {
  test('listens to the parts of its keys, and not to the channel of all changes', async () => {
    const cache = await connected()
    await hold(cache, 'key', 'value')
    expect(await numsub(backplane(), channelOf('all'), channelOf(partOf('key')))).toEqual([0, 1, 1])
    expect(await numsub(channelOf(partOf('other')))).toEqual([0])
  })

  test('asks Redis once more for what it read before it heard of changes, then keeps it for the whole ttl', async () => {
    const [cache, other] = [await connected(), await connected()]
    await other.set('key', 'value')
    const ask = (): Promise<string> => cache.getOrRefill('key', () => 'loaded')
    expect(await ask()).toBe('value')
    const seen: unknown[] = []
    for (let time = 0; time < 2; time++) {
      await setTimeout(UNSYNCED + 10)
      seen.push(cache.peek('key'))
      await ask()
    }
    expect(seen).toEqual([undefined, 'value'])
  })

  test.each<[string, (other: Cache) => Promise<unknown>, unknown]>([
    ['set', (other) => other.set('key', 'new'), 'new'],
    ['invalidate', (other) => other.invalidate('key'), 'loaded'],
    ['many at once', (other) => other.invalidate(['x', 'key', 'y']), 'loaded'],
    ['expire', (other) => other.expire('key'), 'loaded'],
    ['invalidateTags', (other) => other.invalidateTags('tag'), 'loaded'],
    ['expireTags', (other) => other.expireTags('tag'), 'loaded'],
    ['clear', (other) => other.clear(), 'loaded'],
    ['a forced load', (other) => other.getOrRefill('key', () => 'forced', { forceFresh: true }), 'forced'],
  ])('follows %s by a process that hears of everything, and by one of its kind', async (_name, change, value) => {
    for (const options of [{}, HELD]) {
      const [cache, other] = [await connected(), await connected(options)]
      await hold(cache, 'key', 'old', { tags: ['tag'] })
      await hold(cache, 'kept', 'kept')
      await change(other)
      await eventually('it has dropped it', () => cache.peek('key') === undefined)
      expect(await cache.getOrRefill('key', () => 'loaded')).toBe(value)
      await Promise.all([cache.clear(), other.clear()])
    }
  })

  test('is heard by one that hears of everything', async () => {
    const [cache, other] = [await connected({}), await connected()]
    await cache.getOrRefill('key', () => 'old')
    await other.invalidate('key')
    await eventually('it has dropped it', () => cache.peek('key') === undefined)
  })

  test('is told of a change by a message to its part alone, with only that change', async () => {
    const [cache, other] = [await connected(), await connected()]
    await hold(cache, 'key', 'old')
    const heard = await listenTo(channelOf(partOf('key')), channelOf('all'))
    await Promise.all(['x', 'y', 'key', 'z'].map((key) => other.set(key, 'new')))
    await other.invalidateTags('tag')
    await eventually('both have come', () => heard.length === 2)
    expect(heard).toEqual(['k\0key', 't\0tag'])
  })

  test('costs those who hear of everything no message when nobody of its kind is there', async () => {
    const other = await connected({})
    await other.set('key', 'value')
    expect(await lab.redis.command('EXISTS', `${lab.prefix}:changes:parts`)).toBe(0)
    await connected()
    await other.set('key', 'value')
    expect(await lab.redis.command('HKEYS', `${lab.prefix}:changes:parts`)).toEqual([partOf('key')])
  })

  test('notices at the next message that one was lost', async () => {
    const [cache, other] = [await connected(), await connected()]
    await hold(cache, 'key', 'old')
    await hold(cache, 'kept', 'kept')
    await other.set('key', 1)
    await hold(cache, 'key', 1)
    await lab.redis.command('HINCRBY', `${lab.prefix}:changes:parts`, partOf('key'), '1')
    await other.set('key', 2)
    await eventually('memory is dropped', () => cache.peek('kept') === undefined)
    await hold(cache, 'kept', 'again')
    await other.set('key', 3)
    await other.set('key', 4)
    await hold(cache, 'key', 4)
    await other.set('key', 5)
    await eventually('it has heard of the last', () => cache.peek('key') === undefined)
    expect(cache.peek('kept')).toBe('kept')
  })

  test('hears of what it holds on the next connection, too', async () => {
    const [cache, other] = [await connected(), await connected({})]
    await hold(cache, 'key', 'old')
    await lab.redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await eventually('it is connected again', async () => (await numsub(channelOf(partOf('key'))))[0] === 1)
    await eventually('messages arrive', () => cache.stats().redis[0]?.messages === 'connected')
    await hold(cache, 'key', 'old')
    await other.set('key', 'new')
    await eventually('it has dropped it', () => cache.peek('key') === undefined)
    expect(await cache.get('key')).toBe('new')
  })

  test('joins no load that began before it heard of changes of the key', async () => {
    const [cache, other] = [await connected(), await connected({})]
    const { loader, started, gate } = gatedLoad<string>()
    const first = cache.getOrRefill('key', loader)
    await started
    await eventually('it hears of it', async () => (await numsub(channelOf(partOf('key'))))[0] === 1)
    await other.set('key', 'new')
    await eventually('who asks now gets what is new', async () => (await cache.getOrRefill('key', () => 'x')) === 'new')
    gate.resolve('old')
    expect(await first).toBe('old') // who asked before the change
  })

  test('loads a cold key once, for thousands who ask at different moments', async () => {
    const cache = await connected()
    let loads = 0
    const { gate } = gatedLoad<string>()
    const loader = (): Promise<string> => {
      loads++
      return gate.promise
    }
    const asked = Array.from({ length: 1000 }, () => cache.getOrRefill('cold', loader))
    await eventually('it hears of it', async () => (await numsub(channelOf(partOf('cold'))))[0] === 1)
    asked.push(...Array.from({ length: 1000 }, () => cache.getOrRefill('cold', loader)))
    gate.resolve('value')
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['value']))
    expect(loads).toBe(1)
  })

  test('with a limit to loads, is told when a process is gone whose load it waits for', async () => {
    const limited = { ...HELD, maxLoads: 1, lockTtl: 300 }
    const [gone, cache] = [await connected(limited), await connected(limited)]
    const { loader, started } = gatedLoad<string>()
    const lost = gone.getOrRefill('key', loader).catch(() => 'lost')
    await started
    const waiting = cache.getOrRefill('key', () => 'mine')
    await gone.close()
    expect(await waiting).toBe('mine')
    expect(await lost).toBe('lost')
  })

  test('hears of both instances in a migration', async () => {
    const second = await startRedis()
    lab.atEnd(() => second.stop())
    const both = (): CacheOptions['redis'] => [lab.client(), lab.client(second.url)]
    const [cache, old] = [await connected({ ...HELD, redis: both() }), await connected({})]
    await eventually('it keeps the value', async () => {
      await cache.getOrRefill('key', () => 'old')
      await setTimeout(UNSYNCED)
      return cache.peek('key') === 'old'
    })
    await old.invalidate('key')
    await eventually('it has dropped it', () => cache.peek('key') === undefined)
    expect(await cache.getOrRefill('key', () => 'new')).toBe('new')
  })

  test('takes part in calls to all processes', async () => {
    const caches = [await connected(), await connected({})]
    const lines = caches.map((cache) => insideOf(cache).fleet as FleetLine)
    const heard: string[] = []
    for (const [n, line] of lines.entries()) line.onCall((text) => heard.push(`${n} ${text}`))
    for (const line of lines) expect(await line.listeners()).toBe(2)
    await lines[0]?.call('from 0')
    await lines[1]?.call('from 1')
    await eventually('both have heard both', () => heard.length === 4)
    expect(heard.sort()).toEqual(['0 from 0', '0 from 1', '1 from 0', '1 from 1'])
  })
})
