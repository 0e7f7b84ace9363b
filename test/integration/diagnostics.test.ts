import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createCache } from '../../src/cache/create-cache.ts'
import type { ClaimMessage, LockEndedMessage, LockMessage, RefillMessage } from '../../src/diagnostics.ts'
import { LockNotAcquiredError } from '../../src/errors.ts'
import { Locker } from '../../src/lock/locker.ts'
import { cacheLab, gatedLoad, settled, subscribers, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/free-port.ts'
import { watchChannel, watchTracing } from '../support/watch-channel.ts'

const lab = cacheLab()

describe('the channel herdlock:refill', () => {
  test('tells of each refill how it ended: loaded here, received from there, found in Redis', async () => {
    const [leader, waiter, reader] = [lab.cache({ name: 'leader' }), lab.cache({ name: 'waiter' }), lab.cache()]
    await warmUp(lab.redis, leader, waiter, reader)
    const refills = watchTracing<RefillMessage>('herdlock:refill')
    const load = gatedLoad<string>()
    const leading = leader.getOrRefill('key', load.loader)
    await load.started
    const waiting = waiter.getOrRefill('key', () => 'never')
    await eventually('the other waits', () => waiter.stats().misses === 1 + 1)
    load.gate.resolve('value')
    expect(await Promise.all([leading, waiting])).toEqual(['value', 'value'])
    await settled(leader)
    await reader.getOrRefill('key', () => 'never')
    await eventually('all three are told', () => refills.length === 3)
    const loaded = { cache: 'leader', key: 'key', background: false, outcome: 'loaded' }
    expect(refills).toContainEqual(expect.objectContaining({ ...loaded, loadTime: expect.any(Number) }))
    expect(refills).toContainEqual(expect.objectContaining({ cache: 'waiter', outcome: 'received' }))
    expect(refills).toContainEqual(expect.objectContaining({ cache: lab.prefix, outcome: 'found' }))
    expect(waiter.stats().waits).toEqual({ count: 1, sum: expect.any(Number) })
    expect(leader.stats().waits.count).toBe(0)
  })

  test('tells the error of a refill that failed, and no value of one that did not', async () => {
    const cache = lab.cache()
    const refills = watchTracing<RefillMessage>('herdlock:refill')
    const errors: unknown[] = []
    const note = (message: unknown): void => void errors.push((message as RefillMessage).error)
    tracingChannel('herdlock:refill').subscribe({ error: note } as never)
    onTestFinished(() => tracingChannel('herdlock:refill').unsubscribe({ error: note } as never))
    const error = new Error('no')
    await expect(cache.getOrRefill('bad', () => Promise.reject(error))).rejects.toBe(error)
    await cache.getOrRefill('good', () => 'secret')
    await eventually('both are told', () => refills.length === 2)
    expect(refills.map(({ outcome }) => outcome)).toEqual(['failed', 'loaded'])
    expect(errors).toEqual([error])
    expect(JSON.stringify(refills)).not.toContain('secret')
  })

  test('tells of a refill in the background that its callers had their answer', async () => {
    const cache = lab.cache({ ttl: 1, staleWhileRevalidate: 60_000 })
    await warmUp(lab.redis, cache)
    await cache.getOrRefill('key', () => 1)
    await settled(cache)
    const refills = watchTracing<RefillMessage>('herdlock:refill')
    await delay(10) // until the entry is stale
    await cache.getOrRefill('key', () => 2)
    await eventually('it has ended', () => refills.length > 0)
    expect(refills[0]).toMatchObject({ background: true, outcome: 'loaded' })
  })
})

describe('the channel herdlock:claim', () => {
  test('tells what Redis answered', async () => {
    const [one, other] = [lab.cache(), lab.cache({ memory: false })]
    await warmUp(lab.redis, one, other)
    const claims = watchTracing<ClaimMessage>('herdlock:claim')
    const load = gatedLoad<number>()
    const leading = one.getOrRefill('key', load.loader)
    await load.started
    const waiting = other.getOrRefill('key', () => 2)
    await eventually('the other has its answer', () => claims.length === 2)
    load.gate.resolve(1)
    await Promise.all([leading, waiting])
    await Promise.all([one, other].map(settled))
    await other.getOrRefill('key', () => 3)
    expect(claims.map(({ key, state }) => [key, state])).toEqual([
      ['key', 'leased'],
      ['key', 'busy'],
      ['key', 'fresh'],
    ])
  })
})

describe('the channels of outcomes', () => {
  test('tell what listeners are told, and whose it is', async () => {
    const cache = lab.cache({ name: 'mine' })
    await warmUp(lab.redis, cache)
    const names = ['miss', 'hit', 'refilled', 'invalidated', 'refill-failed']
    const [miss, hit, refilled, invalidated, failed] = names.map((name) => watchChannel(`herdlock:${name}`))
    await cache.getOrRefill('key', () => 1)
    await settled(cache)
    await cache.getOrRefill('key', () => 1)
    await cache.invalidate('key')
    await cache.getOrRefill('key', () => Promise.reject(new Error('no'))).catch(() => {})
    const own = { cache: 'mine', key: 'key' }
    expect(miss).toEqual([own, own])
    expect(hit).toEqual([{ ...own, tier: 'memory' }])
    expect(refilled).toEqual([{ ...own, loadTime: expect.any(Number) }])
    expect(invalidated).toContainEqual(own)
    expect(failed).toEqual([{ ...own, loadTime: expect.any(Number), error: new Error('no') }])
  })

  test('a subscriber that throws harms no caller; its error is uncaught', async () => {
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    onTestFinished(() => others.forEach((listener) => process.on('uncaughtException', listener)))
    const uncaught = new Promise<unknown>((resolve) => process.once('uncaughtException', resolve))
    const bad = (): never => {
      throw new Error("the subscriber's own")
    }
    subscribe('herdlock:miss', bad)
    onTestFinished(() => void unsubscribe('herdlock:miss', bad))
    await expect(lab.cache().getOrRefill('key', () => 1)).resolves.toBe(1)
    expect(await uncaught).toMatchObject({ message: "the subscriber's own" })
  })
})

describe('the channel herdlock:lock', () => {
  function newLocker(redactKey?: (key: string) => string): Locker {
    const locker = new Locker({ clients: lab.client(), redactKey })
    lab.atEnd(locker.close.bind(locker))
    return locker
  }

  test('tells of acquisitions how they ended, and herdlock:lock-ended of locks how they did', async () => {
    const [one, other] = [newLocker(), newLocker()]
    const acquisitions = watchTracing<LockMessage>('herdlock:lock')
    const ends = watchChannel<LockEndedMessage>('herdlock:lock-ended')
    const lock = await one.tryAcquire('lock', 10_000)
    await expect(other.tryAcquire('lock', 10_000)).rejects.toBeInstanceOf(LockNotAcquiredError)
    const waiting = other.acquire('lock', 10_000, { signal: AbortSignal.timeout(10_000) })
    await lock.release()
    const next = await waiting
    const outcomes = [
      { key: 'lock', waiting: false, outcome: 'acquired' },
      { key: 'lock', waiting: false, outcome: 'refused' },
      { key: 'lock', waiting: true, outcome: 'acquired' },
    ]
    expect(acquisitions).toEqual(outcomes.map((outcome) => expect.objectContaining(outcome)))
    expect(JSON.stringify(acquisitions)).not.toContain(next.token)
    expect(ends).toEqual([{ key: 'lock', outcome: 'released', heldFor: expect.any(Number) }])
    await lab.redis.command('DEL', 'lock')
    await expect(next.release()).rejects.toThrow()
    expect(ends[1]).toMatchObject({ outcome: 'lost' })
  })

  test('calls keys what the locker says', async () => {
    const acquisitions = watchTracing<LockMessage>('herdlock:lock')
    const ends = watchChannel<LockEndedMessage>('herdlock:lock-ended')
    const locker = newLocker(() => 'hidden')
    await locker.withLock('private', 1000, () => {})
    expect([acquisitions, ends].map((messages) => JSON.stringify(messages)).join()).not.toContain('private')
    expect(acquisitions[0]).toMatchObject({ key: 'hidden' })
  })
})

describe('redactKey', () => {
  test('is asked by channels, not by listeners, and by nobody while there is no subscriber', async () => {
    let asked = 0
    const redactKey = (key: string): string => `${key.split(':')[0]}:${asked++}`
    const cache = lab.cache({ redactKey })
    const heard: string[] = []
    for (const event of ['hit', 'miss', 'refilled'] as const) cache.on(event, ({ key }) => heard.push(key))
    await cache.getOrRefill('user:1', () => 1)
    await settled(cache)
    await cache.getOrRefill('user:1', () => 1)
    expect(heard).toEqual(['user:1', 'user:1', 'user:1'])
    expect(asked).toBe(0)
    const told = [
      ...['refill', 'claim'].map((name) => watchTracing<{ key: string }>(`herdlock:${name}`)),
      ...['hit', 'miss', 'refilled', 'invalidated'].map((name) => watchChannel<{ key: string }>(`herdlock:${name}`)),
    ]
    await cache.getOrRefill('user:2', () => 1)
    await settled(cache)
    await cache.getOrRefill('user:2', () => 1)
    await cache.invalidate('user:2')
    await eventually('all have told', () => told.every((messages) => messages.length > 0))
    for (const { key } of told.flat()) expect(key).toMatch(/^user:\d+$/)
    expect(new Set(told.flat().map(({ key }) => key)).size).toBe(asked)
  })

  test('that throws costs no caller an answer, and tells no key', async () => {
    const cache = lab.cache({
      redactKey: () => {
        throw new Error('no')
      },
    })
    const misses = watchChannel<{ key: string }>('herdlock:miss')
    const refills = watchTracing<RefillMessage>('herdlock:refill')
    await expect(cache.getOrRefill('user:1', () => 1)).resolves.toBe(1)
    await eventually('it is told', () => misses.length > 0 && refills.length > 0)
    expect(JSON.stringify([misses, refills])).not.toContain('user')
  })
})

describe('stats of Redis', () => {
  test('count hits and stale hits that Redis had', async () => {
    const writer = lab.cache({ staleWhileRevalidate: 60_000 })
    await writer.set('fresh', 1)
    await writer.set('stale', 1, { ttl: 1 })
    const reader = lab.cache({ memory: false, staleWhileRevalidate: 60_000 })
    await reader.getOrRefill('fresh', () => 2)
    expect(reader.stats().tiers.redis).toEqual({ hits: 1, staleHits: 0 })
    // By the clock of Redis, which nobody here reads.
    await eventually('one is stale', async () => {
      await reader.getOrRefill('stale', () => 2, { ttl: 1 })
      return reader.stats().staleHits > 0
    })
    await settled(reader)
    expect(reader.stats().tiers.redis.staleHits).toBe(1)
    expect(reader.stats().tiers.memory).toEqual({ hits: 0, staleHits: 0 })
  })

  test('tell whether Redis is asked, and how often it failed', async () => {
    const port = await freePort()
    const client = new Redis({ port, maxRetriesPerRequest: 0 })
    client.on('error', () => {})
    const cache = createCache({ ttl: 1000, redis: client, commandTimeout: 500, prefix: lab.prefix })
    onTestFinished(async () => {
      await cache.close()
      client.disconnect()
    })
    const [before] = cache.stats().redis
    const instance = expect.stringContaining(String(port)) as string
    expect(before).toEqual({ instance, breaker: 'closed', errors: 0, messages: 'closed' })
    for (let n = 0; n < 3; n++) await cache.getOrRefill(`key ${n}`, () => n)
    const [after] = cache.stats().redis
    expect(after?.breaker).not.toBe('closed')
    expect(after?.errors).toBeGreaterThanOrEqual(3)
    expect(await subscribers(lab.redis)).toBe(0)
  })
})
