import { once } from 'node:events'
import { Redis } from 'ioredis'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { type Lock, Locker } from '../../../src/lock.ts'
import { eventually } from '../../support/eventually.ts'
import { startProxiedRedis } from '../../support/proxied-redis.ts'
import type { RedisServer } from '../../support/redis-server.ts'
import type { TcpProxy } from '../../support/tcp-proxy.ts'

const KEY = 'extended'
const LONG = 60_000
const SHORT = 300
const isExtension = ([command]: readonly string[]): boolean => /^eval(sha)?$/i.test(command ?? '')

let servers: RedisServer[]
let proxies: TcpProxy[]
let locker: Locker
let lock: Lock
/** Another process's locker, whose way to Redis is sound. */
let other: Locker

beforeEach(async () => {
  const pairs = [await startProxiedRedis(), await startProxiedRedis()]
  servers = pairs.map(({ server }) => server)
  proxies = pairs.map(({ proxy }) => proxy)
})

async function hold(instances: number): Promise<void> {
  locker = newLocker(proxies.slice(0, instances).map(({ port }) => port))
  other = newLocker(servers.slice(0, instances).map(({ port }) => port))
  lock = await locker.tryAcquire(KEY, 5000)
  await lock.extend(5000) // its script is known from now on
}

function newLocker(ports: number[]): Locker {
  const clients = ports.map((port) => new Redis(port, { retryStrategy: () => 10, maxRetriesPerRequest: null }))
  for (const client of clients) client.on('error', () => {})
  const created = new Locker({ clients, commandTimeout: 2000 })
  onTestFinished(async () => {
    await created.close()
    for (const client of clients) client.disconnect()
  })
  return created
}

const remaining = async (index = 0): Promise<number> => Number(await servers[index]?.command('PTTL', KEY))

/** The signal aborts, and not later than another can have the lock. */
async function expectNoSecondHolder(): Promise<void> {
  const { signal } = lock
  const next = await other.acquire(KEY, 1000)
  expect(signal.aborted).toBe(true)
  await next.release()
}

describe('a longer extension that was sent before a shorter one', () => {
  it('does not count once it is answered, though the reply to the shorter one does not come', async () => {
    await hold(1)
    const { signal } = lock
    const held = proxies[0]?.holdAfterReplies(1, isExtension)
    const longer = lock.extend(LONG)
    const shorter = lock.extend(SHORT).catch(() => {})
    await held
    await longer
    await eventually('Redis has carried both out', async () => (await remaining()) <= SHORT)
    expect(signal.aborted).toBe(false)
    await expectNoSecondHolder()
    proxies[0]?.resume()
    await shorter
  })

  it('does not count when both are answered late', async () => {
    await hold(1)
    proxies[0]?.holdReplies()
    const both = [lock.extend(LONG), lock.extend(SHORT)]
    await eventually('Redis has carried both out', async () => (await remaining()) <= SHORT)
    proxies[0]?.resume()
    await Promise.all(both)
    await expectNoSecondHolder()
  })

  it('does not count on several instances, whichever of them is late', async () => {
    for (const late of [0, 1]) {
      await hold(2)
      proxies[late]?.holdReplies()
      const both = [lock.extend(LONG), lock.extend(SHORT)].map((extended) => extended.catch(() => {}))
      await eventually('the first has carried both out', async () => (await remaining()) <= SHORT)
      setTimeout(() => proxies[late]?.resume(), 100)
      await expectNoSecondHolder()
      await Promise.all(both)
    }
  })
})

it('a shorter extension that was sent before a longer one does not count once both are answered', async () => {
  await hold(1)
  const { signal } = lock
  proxies[0]?.holdReplies()
  const both = [lock.extend(SHORT), lock.extend(LONG)]
  await eventually('Redis has carried both out', async () => (await remaining()) > SHORT)
  proxies[0]?.resume()
  await Promise.all(both)
  await new Promise((resolve) => setTimeout(resolve, SHORT)) // what would end it
  expect(signal.aborted).toBe(false)
  expect(await lock.ttl()).toBeGreaterThan(SHORT)
})

it('a shorter extension whose reply is lost counts, and so does a longer one after it', async () => {
  await hold(1)
  const { signal } = lock
  const lost = proxies[0]?.loseReplies(1, isExtension)
  const shorter = lock.extend(SHORT)
  await lost
  await shorter // sent again by the client
  await lock.extend(LONG)
  await new Promise((resolve) => setTimeout(resolve, SHORT)) // what would end it
  expect(signal.aborted).toBe(false)
})

it('an extension that was given up and is carried out after all takes nothing from a lock that was extended since', async () => {
  await hold(1)
  proxies[0]?.pause()
  await expect(lock.extend(LONG)).rejects.toThrow(/did not answer/)
  proxies[0]?.resume()
  await lock.extend(2 * LONG)
  expect(await lock.ttl()).toBeGreaterThan(LONG)
  expect(lock.signal.aborted).toBe(false)
})

it('a lock that extends itself leaves alone what its owner has set meanwhile', async () => {
  locker = newLocker([servers[0]?.port as number])
  lock = await locker.acquire(KEY, 600, { autoExtend: true })
  await lock.extend(LONG)
  const lost = once(lock.signal, 'abort')
  await Promise.race([lost, new Promise((resolve) => setTimeout(resolve, 800))]) // longer than its first ttl
  expect(lock.signal.aborted).toBe(false)
  expect(await remaining()).toBeGreaterThan(50_000)
})
