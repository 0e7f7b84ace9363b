import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { Locker } from '../../src/lock/locker.ts'
import type { RedisClient } from '../../src/redis/clients/port-of.ts'
import { cacheLab, settled } from '../support/cache-lab.ts'
import { connectClient, LIBRARIES } from '../support/clients-by-library.ts'
import { eventually } from '../support/eventually.ts'
import { type ConnectedClient, connectedClients } from '../support/leaks.ts'
import { uniquePrefix } from '../support/shared-redis.ts'

const lab = cacheLab()

const forMessages = async (): Promise<ConnectedClient[]> =>
  (await connectedClients(lab.redis)).filter(({ sub, name }) => sub > 0 || name === 'herdlock-inbox')
const connected = (...caches: Cache[]): Promise<unknown> =>
  eventually('messages arrive', () => caches.every((cache) => cache.stats().redis[0]?.messages === 'connected'))

/** `cache` holds a value, and drops it when another process changes that. */
async function expectToHear(cache: Cache, prefix: string): Promise<void> {
  const other = lab.cache({ prefix })
  await eventually(
    'it holds the value',
    async () => (await cache.getOrRefill('heard', () => 1)) === cache.peek('heard'),
  )
  await other.set('heard', 2)
  await eventually('it has heard of the change', () => cache.peek('heard') === undefined)
  await other.close()
}

/** A lock is handed from one locker to the other while it is waited for. */
async function expectHandOver(holder: Locker, waiter: Locker): Promise<void> {
  const lock = await holder.acquire('handed over', 60_000)
  const waiting = waiter.acquire('handed over', 60_000, { signal: AbortSignal.timeout(10_000) })
  await eventually(
    'it waits',
    async () => (await lab.redis.command('ZCARD', 'herdlock:queue:{handed over}:handed over')) === 1,
  )
  await lock.release()
  await (await waiting).release()
}

describe('30 caches and 5 lockers of one client', () => {
  test('take one connection for messages, which lasts as long as the last of them', async () => {
    const redis = lab.client()
    const prefixes = Array.from({ length: 30 }, (_, n) => `${lab.prefix}-${n}`)
    const caches = prefixes.map((prefix) => lab.cache({ redis, prefix }))
    const lockers = Array.from({ length: 5 }, () => new Locker({ clients: redis }))
    await Promise.all(caches.map((cache) => cache.getOrRefill('first', () => 1)))
    await connected(...caches)
    for (const locker of lockers) await expectHandOver(lockers[0] as Locker, locker)
    const [only, ...more] = await forMessages()
    expect(more).toEqual([])
    expect(only?.sub).toBe(30 * 3 + 5) // an inbox each, and the two channels of each prefix

    await Promise.all([...caches.slice(1), ...lockers].map((each) => each.close()))
    await eventually('the others have left', async () => (await forMessages())[0]?.sub === 3)
    expect((await forMessages())[0]?.id).toBe(only?.id)
    await expectToHear(caches[0] as Cache, prefixes[0] as string)
    await caches[0]?.close()
    await eventually('it is closed', async () => (await forMessages()).length === 0)
    expect(redis.status).toBe('ready')
  })

  test('are served again when it was lost, by one', async () => {
    const redis = lab.client()
    const caches = Array.from({ length: 10 }, (_, n) => lab.cache({ redis, prefix: `${lab.prefix}-${n}` }))
    await Promise.all(caches.map((cache) => cache.getOrRefill('first', () => 1)))
    await connected(...caches)
    await lab.redis.command('CLIENT', 'KILL', 'TYPE', 'PUBSUB')
    await eventually('all have noticed', () => caches.every((cache) => cache.peek('first') === undefined))
    await connected(...caches)
    expect(await forMessages()).toHaveLength(1)
    await expectToHear(caches[9] as Cache, `${lab.prefix}-9`)
    expect(lab.errors).toEqual([])
  })
})

test.each(LIBRARIES)(
  'two caches of one client of %s share a connection, and one that leaves takes nothing along',
  async (library) => {
    const redis = (await connectClient(library, lab.redis)) as RedisClient & {
      disconnect?(): void
      destroy?(): void
      close(): void
    }
    lab.atEnd(async () => (redis.disconnect ?? redis.destroy ?? redis.close).call(redis))
    const prefixes = ['a', 'b', 'c'].map((name) => `${lab.prefix}-${name}`) as [string, string, string]
    const [a, b] = prefixes.slice(0, 2).map((prefix) => lab.cache({ redis, prefix })) as [Cache, Cache]
    await Promise.all([a, b].map((cache) => cache.getOrRefill('first', () => 1)))
    await connected(a, b)
    expect(await forMessages()).toHaveLength(1)
    await a.close()
    await expectToHear(b, prefixes[1])
    const c = lab.cache({ redis, prefix: prefixes[2] })
    await c.getOrRefill('first', () => 1)
    await connected(b, c)
    await expectToHear(c, prefixes[2])
    await expectToHear(b, prefixes[1])
    expect(await forMessages()).toHaveLength(1)
    expect(b.peek('first')).toBe(1) // nothing was missed, and nobody thought so
  },
)

test('caches of one client hear of what concerns them: prefixes, databases and key prefixes stay apart', async () => {
  const [plain, second, named] = [
    lab.client(),
    lab.client(`${lab.redis.url}/1`),
    new Redis(lab.redis.url, { keyPrefix: 'named:' }),
  ]
  lab.atEnd(async () => named.disconnect())
  const others = [lab.client(), lab.client(`${lab.redis.url}/1`), new Redis(lab.redis.url, { keyPrefix: 'named:' })]
  lab.atEnd(async () => others[2]?.disconnect())
  const prefixes = [lab.prefix, `${lab.prefix}2`]
  const both = (redis: Redis): Cache[] => prefixes.map((prefix) => lab.cache({ redis, prefix }))
  const caches = [plain, second, named].flatMap(both)
  await eventually('all hold their values', async () => {
    const values = await Promise.all(caches.map((cache, n) => cache.getOrRefill('key', () => n)))
    await Promise.all(caches.map(settled))
    return caches.every((cache, n) => cache.peek('key') === n && values[n] === n)
  })
  await connected(...caches)
  const changers = others.flatMap(both)
  for (const [n, changer] of changers.entries()) {
    await changer.invalidate('key')
    await eventually(`cache ${n} has dropped it`, () => caches[n]?.peek('key') === undefined)
    expect(caches.map((cache) => cache.peek('key') !== undefined)).toEqual(caches.map((_, i) => i > n))
  }
})

test('caches of one prefix and client all hear of a change', async () => {
  const redis = lab.client()
  const [first, second, third] = [lab.cache({ redis }), lab.cache({ redis }), lab.cache({ redis })]
  const caches = [first, second, third]
  await Promise.all(caches.map((cache) => cache.getOrRefill('key', () => 1)))
  await connected(...caches)
  await eventually('all hold the value', async () => {
    await Promise.all(caches.map((cache) => cache.getOrRefill('key', () => 1)))
    return caches.every((cache) => cache.peek('key') === 1)
  })
  await second.set('key', 2)
  await eventually(
    'the others have dropped it',
    () => first.peek('key') === undefined && third.peek('key') === undefined,
  )
  await third.close()
  await expectToHear(first, lab.prefix)
})

test('a cache that may not listen to its channel is told, again and again tried, and mended; the others of its client hear on', async () => {
  const allowed = uniquePrefix('allowed')
  const refused = uniquePrefix('refused')
  await lab.redis.command(
    'ACL',
    'SETUSER',
    'app',
    'reset',
    'on',
    '>secret',
    '~*',
    '+@all',
    '&herdlock:inbox:*',
    `&${allowed}:*`,
  )
  lab.atEnd(() => lab.redis.command('ACL', 'DELUSER', 'app'))
  const redis = lab.client(`redis://app:secret@127.0.0.1:${lab.redis.port}`)
  const errors: unknown[] = []
  const listening = lab.cache({ redis, prefix: allowed })
  const cut = createCache({ ttl: 60_000, redis, prefix: refused })
  lab.atEnd(cut.close)
  cut.on('error', ({ error }) => errors.push(error))
  await listening.getOrRefill('first', () => 1)
  await connected(listening)
  await listening.getOrRefill('kept', () => 1)
  await cut.getOrRefill('first', () => 1)
  await eventually('it is told', () => errors.some((error) => /NOPERM/.test(String(error))))
  expect(cut.stats().redis[0]?.messages).toBe('failing')
  expect(await cut.getOrRefill('meanwhile', () => 2)).toBe(2)
  expect(listening.peek('kept')).toBe(1)
  await expectToHear(listening, allowed)
  expect(lab.errors).toEqual([])
  await lab.redis.command('ACL', 'SETUSER', 'app', `&${refused}:*`)
  await connected(cut)
  await expectToHear(cut, refused)
  expect(listening.peek('kept')).toBe(1)
  expect(await forMessages()).toHaveLength(1)
  expect(
    errors.filter((error) => /NOPERM.*subscribe|SubscriberError|messages/i.test(String(error))).length,
  ).toBeLessThan(3)
})
