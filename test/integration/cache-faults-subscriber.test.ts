import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import type { CacheOptions } from '../../src/cache/options.ts'
import { cacheLab, gatedLoad, settled, subscribers, timed, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { countLoads } from '../support/loads.ts'
import type { ProxiedConnection } from '../support/proxied-connection.ts'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const lab = cacheLab()
let proxy: TcpProxy
beforeEach(async () => {
  proxy = await startProxy(lab.redis)
})
afterEach(() => proxy.close())

const direct = (options: Partial<CacheOptions> = {}): Cache => lab.cache(options)
const throughProxy = (options: Partial<CacheOptions> = {}): Cache =>
  lab.cache(options, `redis://127.0.0.1:${proxy.port}`)
const exists = async (key: string): Promise<boolean> =>
  (await lab.redis.command('EXISTS', `${lab.prefix}:${key}`)) === 1

/** The connection on which the one cache behind the proxy listens. */
function subscription(): ProxiedConnection {
  const found = proxy
    .connections()
    .find(({ commands }) => commands.some(([name]) => name?.toLowerCase() === 'subscribe'))
  if (found === undefined) throw new Error('nobody subscribes')
  return found
}

/** A leader that loads until told, and a waiter behind the proxy that waits for it. */
async function leadAndWait(options: Partial<CacheOptions> = {}) {
  const [leader, waiter] = [direct(options), throughProxy(options)]
  await warmUp(lab.redis, leader, waiter)
  const load = gatedLoad<string>()
  const led = leader.getOrRefill('key', load.loader)
  await load.started
  const loads = countLoads(() => 'own')
  const waited = timed(() => waiter.getOrRefill('key', loads.loader))
  await eventually('the waiter is registered', () => exists('{key}:waiters'))
  return { leader, waiter, load, led, loads, waited }
}

describe('a waiter whose wake-up does not come', () => {
  test('because its subscriber was killed: is answered once that is back, long before the lease would end', async () => {
    const { load, led, loads, waited } = await leadAndWait({ lockTtl: 30_000 })
    await lab.redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    load.gate.resolve('led')
    expect(await led).toBe('led')
    const { value, took } = await waited
    expect(value).toBe('led')
    expect(took).toBeLessThan(3000)
    expect(loads.runs).toBe(0)
  })

  test('because its subscriber is half open: finds out by itself, long before the lease would end', async () => {
    const { load, led, loads, waited } = await leadAndWait({ lockTtl: 30_000 })
    subscription().pause()
    load.gate.resolve('led')
    expect(await led).toBe('led')
    const { value, took } = await waited
    expect(value).toBe('led')
    expect(took).toBeLessThan(4000)
    expect(loads.runs).toBe(0)
  })

  test('because it cannot subscribe at all: asks again', async () => {
    const leader = direct({ lockTtl: 30_000 })
    await warmUp(lab.redis, leader)
    const load = gatedLoad<string>()
    const led = leader.getOrRefill('key', load.loader)
    await load.started
    await lab.redis.command('ACL', 'SETUSER', 'deaf', 'on', '>secret', '~*', '+@all', '-subscribe', 'allchannels')
    const waiter = lab.cache({ lockTtl: 30_000 }, `redis://deaf:secret@127.0.0.1:${lab.redis.port}`)
    const loads = countLoads(() => 'own')
    const waited = timed(() => waiter.getOrRefill('key', loads.loader))
    await eventually('it waits', () => waiter.stats().flights === 1)
    load.gate.resolve('led')
    expect(await led).toBe('led')
    const { value, took } = await waited
    expect(value).toBe('led')
    expect(took).toBeLessThan(2000)
    expect(loads.runs).toBe(0)
    await lab.redis.command('ACL', 'DELUSER', 'deaf')
  })

  test('because the leader is gone and its lease was deleted by hand: takes over', async () => {
    const { waited, led, load } = await leadAndWait({ lockTtl: 500 })
    await lab.redis.command('DEL', `${lab.prefix}:{key}:lease`)
    const { value, took } = await waited
    expect(value).toBe('own')
    expect(took).toBeLessThan(1500)
    load.gate.resolve('led')
    expect(await led).toBe('led')
  })
})

describe('memory and the changes of others', () => {
  test('hears of what another process sets, invalidates, and clears', async () => {
    const [writer, reader] = [direct(), direct()]
    await warmUp(lab.redis, writer, reader)
    const changes: [what: string, change: () => Promise<void>][] = [
      ['set', () => writer.set('key', 'set')],
      ['invalidate', () => writer.invalidate('key')],
      ['clear', () => writer.clear()],
      ['invalidateTags', () => writer.invalidateTags('tag')],
    ]
    for (const [what, change] of changes) {
      await reader.getOrRefill('key', () => 'old', { tags: ['tag'] })
      await settled(reader)
      expect(reader.peek('key'), what).toBeDefined()
      await change()
      await eventually(`it hears of ${what}`, () => reader.peek('key') === undefined)
    }
  })

  test('drops what it had when its subscriber comes back, for it may have missed something', async () => {
    const [writer, reader] = [direct(), throughProxy()]
    await warmUp(lab.redis, writer, reader)
    await reader.getOrRefill('key', () => 'old')
    await settled(reader)
    const before = await subscribers(lab.redis)
    await proxy.refuse()
    subscription().reset()
    await eventually('the subscriber is gone', async () => (await subscribers(lab.redis)) === before - 1)
    await writer.set('key', 'new')
    expect(reader.peek('key')).toBe('old') // it cannot know
    await proxy.accept()
    await eventually('the subscriber is back', async () => (await subscribers(lab.redis)) === before)
    await eventually('memory is dropped', () => reader.peek('key') === undefined)
    expect(await reader.getOrRefill('key', () => 'loaded')).toBe('new')
  })

  test('keeps nothing that it read before its subscriber came back', async () => {
    const [writer, reader] = [direct(), throughProxy({ commandTimeout: 10_000 })]
    await warmUp(lab.redis, writer, reader)
    await reader.getOrRefill('marker', () => 1)
    await writer.set('key', 'old')
    await writer.invalidate('marker')
    await eventually('the reader has heard of both', () => reader.peek('marker') === undefined)
    // The reader's claim has been answered with the old value, but the answer is held up on its way.
    const main = proxy.connections().find((connection) => connection !== subscription()) as ProxiedConnection
    const asked = main.commands.length
    proxy.delay(400)
    const call = reader.getOrRefill('key', () => 'loaded')
    await eventually('the claim is on its way', () => main.commands.length > asked)
    const held = subscription()
    const back = eventually('the subscriber is back', () =>
      proxy
        .connections()
        .some(
          (connection) =>
            connection !== held && connection.commands.some(([name]) => name?.toLowerCase() === 'subscribe'),
        ),
    )
    await new Promise((resolve) => setTimeout(resolve, 450)) // the claim reaches Redis
    held.reset()
    await writer.set('key', 'new') // which the reader's subscriber misses
    proxy.delay(0)
    await back
    expect(['old', 'new']).toContain(await call)
    await settled(reader)
    expect([undefined, 'new']).toContain(reader.peek('key'))
  })

  test('survives its own subscriber being half open while nobody waits', async () => {
    const [writer, reader] = [direct(), throughProxy()]
    await warmUp(lab.redis, writer, reader)
    await reader.getOrRefill('key', () => 'old')
    await settled(reader)
    subscription().pause()
    await writer.set('key', 'new')
    await eventually('it finds out', () => reader.peek('key') === undefined, { within: 14_000 })
    expect(await reader.getOrRefill('key', () => 'loaded')).toBe('new')
  })
})
