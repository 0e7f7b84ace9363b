import {
  ClientSideCache,
  Decoder,
  type GlideClient,
  type GlideClientConfiguration,
  type GlideClusterClientConfiguration,
  ProtocolVersion,
} from '@valkey/valkey-glide'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { SubscriberError } from '../../src/errors.ts'
import { Locker, type RedisClient } from '../../src/lock.ts'
import { GlidePort } from '../../src/redis/clients/glide.ts'
import { subscribers, timed } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { expectFullService } from '../support/full-service.ts'
import { connectGlide, connectGlideCluster } from '../support/glide-clients.ts'
import { startCluster, type RedisCluster } from '../support/redis-cluster.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { runProgram } from '../support/run-program.ts'
import { uniquePrefix } from '../support/shared-redis.ts'

let server: RedisServer
let cluster: RedisCluster
beforeAll(async () => {
  ;[server, cluster] = await Promise.all([startRedis(), startCluster()])
}, 60_000)
afterAll(() => Promise.all([server.stop(), cluster.stop()]))

/** A client that is closed when its test has ended. */
async function single(
  options: Partial<GlideClientConfiguration> = {},
  to: { host: string; port: number } = server,
): Promise<GlideClient> {
  const client = await connectGlide(to, options)
  onTestFinished(() => client.close())
  return client
}

async function ofCluster(options: Partial<GlideClusterClientConfiguration> = {}, to = cluster): Promise<RedisClient> {
  const client = await connectGlideCluster(to.addresses, options)
  onTestFinished(() => client.close())
  return client
}

function cacheOn(redis: RedisClient, prefix = uniquePrefix('glide')): { cache: Cache; errors: Error[] } {
  const cache = createCache({ ttl: 60_000, redis, prefix })
  const errors: Error[] = []
  cache.on('error', ({ error }) => errors.push(error as Error))
  onTestFinished(() => cache.close())
  return { cache, errors }
}

const messages = (cache: Cache): string | undefined => cache.stats().redis[0]?.messages

/** Until one hears what the other does; both share a prefix. */
async function expectSharing(one: Cache, other: Cache): Promise<void> {
  await eventually(
    'it hears of changes',
    async () => {
      await other.set('shared', 1)
      await one.getOrRefill('shared', () => 0)
      await other.set('shared', 2)
      await eventually('it has heard', () => one.peek('shared') !== 1, { within: 1000 })
      return (await one.get('shared')) === 2
    },
    { within: 20_000 },
  )
}

const compression = { enabled: true, minCompressionSize: 64 } as never

describe('full service through a client', () => {
  test.each<[string, Partial<GlideClientConfiguration>]>([
    ['as it is', {}],
    ['with protocol 2', { protocol: ProtocolVersion.RESP2 }],
    ['that connects late', { lazyConnect: true }],
    ['of another database', { databaseId: 3 }],
    ['whose replies are bytes', { defaultDecoder: Decoder.Bytes }],
    ['that may have few commands under way', { inflightRequestsLimit: 2 }],
    ['that reads from replicas', { readFrom: 'preferReplica' }],
    ['that keeps replies', { clientSideCache: ClientSideCache.create(1024, 60_000) }],
    ['that compresses values', { compression }],
    ['with a name and a circuit breaker', { clientName: 'mine', clientCircuitBreaker: {} }],
  ])('%s', async (_what, options) => {
    await expectFullService(() => single(options))
  })

  test.each<[string, Partial<GlideClusterClientConfiguration>]>([
    ['as it is', {}],
    ['with protocol 2', { protocol: ProtocolVersion.RESP2 }],
    ['that connects late', { lazyConnect: true }],
    ['that may have few commands under way', { inflightRequestsLimit: 2 }],
    ['that reads from replicas', { readFrom: 'preferReplica' }],
    ['that keeps replies', { clientSideCache: ClientSideCache.create(1024, 60_000) }],
    ['that compresses values', { compression }],
  ])('of a Cluster, %s', async (_what, options) => {
    await expectFullService(() => ofCluster(options))
  })
})

test('entries and messages are shared with ioredis in the same database, and with nobody else', async () => {
  const { host, port } = server
  const [ioredis, stranger] = [new Redis({ host, port, db: 3 }), new Redis({ host, port })]
  onTestFinished(() => [ioredis, stranger].forEach((each) => each.disconnect()))
  const prefix = uniquePrefix('shared')
  const clients = [await single({ databaseId: 3 }), ioredis, stranger]
  const [one, other, third] = clients.map((redis) => cacheOn(redis, prefix).cache) as [Cache, Cache, Cache]
  await expectSharing(one, other)
  await expectSharing(other, one)
  expect(await third.get('shared')).toBeUndefined()
})

test('commands arrive in the order of calls, however many there are', async () => {
  const port = new GlidePort(await single())
  const key = uniquePrefix('order')
  const numbers = Array.from({ length: 3000 }, (_, index) => String(index))
  await Promise.all(numbers.map((number) => port.send('text', 'rpush', [key, number])))
  expect(await port.send('text', 'lrange', [key, 0, -1])).toEqual(numbers)
})

test('nothing is read from a replica, which may lag: as if none answered', async () => {
  const replica = await startRedis({ args: ['--replicaof', server.host, String(server.port)] })
  onTestFinished(() => replica.stop())
  await eventually('it is linked', async () =>
    String(await replica.command('INFO', 'replication')).includes('status:up'),
  )
  const addresses = [server, replica].map(({ host, port }) => ({ host, port }))
  const { cache, errors } = cacheOn(await single({ addresses, readFrom: 'preferReplica' }))
  await cache.getOrRefill('first', () => 1)
  await eventually('messages arrive', () => messages(cache) === 'connected')
  replica.pause()
  for (let round = 0; round < 100; round++) await cache.set('key', round)
  expect(await cache.get('key')).toBe(99)
  await cache.clear()
  expect(await cache.getOrRefill('key', () => 'loaded')).toBe('loaded')
  expect(messages(cache)).toBe('connected')
  expect(errors).toEqual([])
})

describe('a client that gives up after 250 ms, as it does by default', () => {
  const hasty = { requestTimeout: undefined } as object

  test('a Redis that is frozen: values soon, and what has failed is not done later', async () => {
    const prefix = uniquePrefix('frozen')
    const [{ cache }, { cache: patient }] = [cacheOn(await single(hasty), prefix), cacheOn(await single(), prefix)]
    await cache.set('key', 'old')
    server.pause()
    onTestFinished(() => server.resume())
    await expect(cache.set('key', 'late')).rejects.toThrow(/timed out|did not answer/)
    const { value, took } = await timed(() => cache.getOrRefill('other', () => 'loaded'))
    expect(value).toBe('loaded')
    expect(took).toBeLessThan(800)
    server.resume()
    await server.command('PING') // what was sent before has been carried out
    expect(await patient.get('key')).toBe('old')
    await expectSharing(cache, patient)
  })

  test('a lock that may have been taken is given back', async () => {
    const locker = new Locker({ clients: await single(hasty) })
    onTestFinished(() => locker.close())
    const key = uniquePrefix('lock')
    server.pause()
    onTestFinished(() => server.resume())
    await expect(locker.tryAcquire(key, 60_000)).rejects.toThrow(/timed out|did not answer/)
    server.resume()
    await eventually('it is free', async () => (await server.command('GET', key)) === null)
  })
})

test('a Redis that goes away and comes back: values meanwhile, sharing afterwards', async () => {
  const own = await startRedis()
  onTestFinished(() => own.stop())
  const prefix = uniquePrefix('comes-back')
  const [{ cache: one }, { cache: other }] = [
    cacheOn(await single({}, own), prefix),
    cacheOn(await single({}, own), prefix),
  ]
  await expectSharing(one, other)
  await own.kill()
  const { value, took } = await timed(() => one.getOrRefill('meanwhile', () => 2))
  expect(value).toBe(2)
  expect(took).toBeLessThan(3000)
  await own.restart()
  await expectSharing(one, other)
  await expectSharing(other, one)
})

test('a client that is closed: values, and the errors say so; the locker rejects; nobody listens any more', async () => {
  const client = await single()
  const { cache, errors } = cacheOn(client)
  await cache.getOrRefill('first', () => 1)
  await eventually('messages arrive', () => messages(cache) === 'connected')
  const before = await subscribers(server)
  client.close()
  await eventually('its subscriber has ended', async () => (await subscribers(server)) === before - 1)
  expect(messages(cache)).toBe('closed')
  expect(await cache.getOrRefill('key', () => 'loaded')).toBe('loaded')
  expect(String(errors[0])).toMatch(/GLIDE is closed/)
  const locker = new Locker({ clients: client })
  onTestFinished(() => locker.close())
  await expect(locker.tryAcquire('key', 1000)).rejects.toThrow(/GLIDE is closed/)
})

test.each(['glide', 'glide-locker', 'glide-cluster'])('the process ends with its client: %s', async (what) => {
  const { port } = what === 'glide-cluster' ? (cluster.nodes[0] as RedisServer) : server
  const program = await runProgram('test/integration/workers/client-end.ts', [what, 'close', String(port)])
  onTestFinished(() => program.kill('SIGKILL'))
  await program.line('closed')
  const { value, took } = await timed(() => program.exited)
  expect(value, program.errors).toEqual({ code: 0, signal: null })
  expect(took).toBeLessThan(2000)
})

describe('the connection for messages', () => {
  /** The client of a user who may do all but what `rights` takes away, and what that client was made of. */
  async function userWith(...rights: string[]) {
    await server.command('ACL', 'SETUSER', 'app', 'reset', 'on', '>secret', '~*', '+@all', 'allchannels', ...rights)
    onTestFinished(async () => void (await server.command('ACL', 'DELUSER', 'app')))
    const config = { credentials: { username: 'app', password: 'secret' } }
    return { config, client: await single(config) }
  }

  test('drops what memory has when it was lost, for changes may have been missed', async () => {
    const { cache, errors } = cacheOn(await single())
    await cache.getOrRefill('first', () => 0)
    await eventually('messages arrive', () => messages(cache) === 'connected')
    await cache.getOrRefill('key', () => 1)
    expect(cache.peek('key')).toBe(1)
    await server.command('CLIENT', 'KILL', 'TYPE', 'PUBSUB')
    await eventually('memory is dropped', () => cache.peek('key') === undefined)
    await eventually('messages arrive', () => messages(cache) === 'connected')
    expect(errors).toEqual([]) // once may happen to anybody
  })

  test('without the right to the channels is told of, without a flood of attempts, and mended', async () => {
    const { client } = await userWith('resetchannels')
    const prefix = uniquePrefix('noperm')
    const { cache, errors } = cacheOn(client, prefix)
    await cache.getOrRefill('first', () => 1)
    await eventually('it is told', () => errors.length > 0)
    expect(errors[0]).toBeInstanceOf(SubscriberError)
    expect(errors[0]?.message).toMatch(/NOPERM/)
    expect(messages(cache)).toBe('failing')
    await server.command('CONFIG', 'RESETSTAT')
    await new Promise((resolve) => setTimeout(resolve, 1000)) // in which few attempts are made
    const calls = /cmdstat_subscribe:.*rejected_calls=(\d+)/.exec(String(await server.command('INFO', 'commandstats')))
    expect(Number(calls?.[1] ?? 0)).toBeLessThan(10)
    await server.command('ACL', 'SETUSER', 'app', 'allchannels')
    await expectSharing(cache, cacheOn(await single(), prefix).cache)
    expect(errors).toHaveLength(1)
  })

  test('logs in with the password that the application has renewed', async () => {
    const { client, config } = await userWith()
    const prefix = uniquePrefix('renewed')
    const { cache, errors } = cacheOn(client, prefix)
    await cache.getOrRefill('first', () => 1)
    await eventually('messages arrive', () => messages(cache) === 'connected')
    await server.command('ACL', 'SETUSER', 'app', 'resetpass', '>changed')
    await server.command('CLIENT', 'KILL', 'TYPE', 'PUBSUB')
    // GLIDE tries for ever to connect again. That nothing arrives shows it, twice five seconds later.
    await eventually('it is told', () => errors.length > 0, { within: 15_000 })
    expect(errors[0]?.message).toMatch(/WRONGPASS|[Aa]uthentication/)
    expect(JSON.stringify(errors[0]) + String(errors[0]?.stack) + JSON.stringify(errors[0]?.cause)).not.toContain(
      'secret',
    )
    await client.updateConnectionPassword('changed', true)
    config.credentials.password = 'changed'
    await expectSharing(cache, cacheOn(await single(), prefix).cache)
  }, 60_000)

  test('of a Cluster survives the loss of its connections, and of the node that it was at', async () => {
    const own = await startCluster()
    onTestFinished(() => own.stop())
    const prefix = uniquePrefix('cluster')
    const clients = [await ofCluster({}, own), await ofCluster({}, own)]
    const [one, other] = clients.map((client) => cacheOn(client, prefix).cache) as [Cache, Cache]
    await expectSharing(one, other)
    for (const node of own.nodes) await node.command('CLIENT', 'KILL', 'TYPE', 'PUBSUB')
    await expectSharing(one, other)
    for (const node of await own.masters()) {
      if ((await subscribers(node)) === 0) continue
      await node.kill()
      break
    }
    await expectSharing(one, other)
  }, 60_000)
})
