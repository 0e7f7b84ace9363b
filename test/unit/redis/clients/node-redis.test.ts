import { EventEmitter } from 'node:events'
import * as redis6 from 'redis'
import * as redis5 from 'redis5'
import { describe, expect, it } from 'vitest'
import type { ClientStatus } from '../../../../src/redis/client-port.ts'
import type { NodeRedisClient } from '../../../../src/redis/clients/node-redis-client.ts'
import { NodeRedisSinglePort } from '../../../../src/redis/clients/node-redis-single.ts'
import { listPorts, type RedisClient } from '../../../../src/redis/clients/port-of.ts'

/** A client that keeps what it is told to send. */
function make(options: object = {}, state: { isOpen: boolean; isReady: boolean } = { isOpen: true, isReady: true }) {
  const sent: { words: unknown; options: unknown }[] = []
  const client = Object.assign(new EventEmitter(), {
    options,
    ...state,
    sendCommand: (words: unknown, how: unknown) => Promise.resolve(sent.push({ words, options: how })),
    duplicate: () => {},
  })
  return { client, sent, port: new NodeRedisSinglePort(client as unknown as NodeRedisClient) }
}

describe('the port of node-redis', () => {
  it.each([
    [{}, 'redis localhost:6379'],
    [{ socket: { host: 'db', port: 6380 }, password: 'secret' }, 'redis db:6380'],
    [{ socket: { path: '/run/redis.sock' } }, 'redis /run/redis.sock'],
  ])('says where %j is and not how to get in', (options, label) => {
    expect(make(options).port.label).toBe(label)
  })

  it.each<[boolean, boolean, ClientStatus]>([
    [true, true, 'ready'],
    [true, false, 'connecting'],
    [false, false, 'ended'],
  ])('open %s, ready %s: %s', (isOpen, isReady, status) => {
    expect(make({}, { isOpen, isReady }).port.status).toBe(status)
  })

  it('says what is missing where the client is not connected', async () => {
    const { port, sent } = make({}, { isOpen: false, isReady: false })
    await expect(port.send('text', 'get', ['key'])).rejects.toThrow(/call connect\(\)/)
    expect(sent).toEqual([])
  })

  it('sends words as text and bytes, and asks for texts whatever the mapping of the client is', async () => {
    const { port, sent } = make()
    const bytes = Buffer.from([0, 255])
    await port.send('text', 'set', ['key', bytes, 'PX', 100])
    await port.send('bytes', 'get', ['key'])
    expect(sent[0]).toEqual({ words: ['set', 'key', bytes, 'PX', '100'], options: { typeMapping: {} } })
    expect(sent[1]).toEqual({ words: ['get', 'key'], options: { typeMapping: { 36: Buffer, 43: Buffer, 61: Buffer } } })
  })

  it.each([
    ['get', ['a'], ['p:a']],
    ['mget', ['a', 'b'], ['p:a', 'p:b']],
    ['unlink', ['a', 'b'], ['p:a', 'p:b']],
    ['set', ['a', 'v', 'PX', 1], ['p:a', 'v', 'PX', '1']],
    ['eval', ['source', 2, 'a', 'b', 'argument'], ['source', '2', 'p:a', 'p:b', 'argument']],
    ['evalsha', ['sha', 0, 'argument'], ['sha', '0', 'argument']],
    ['publish', ['channel', 'message'], ['channel', 'message']],
    ['scan', ['0', 'MATCH', 'p:*'], ['0', 'MATCH', 'p:*']],
  ])('puts the keyPrefix before the keys of %s %j', async (name, args, words) => {
    const { port, sent } = make({ keyPrefix: 'p:' })
    await port.send('text', name, args)
    expect(sent[0]?.words).toEqual([name, ...words])
  })

  it('tells of coming and going until it is told to stop', () => {
    const { client, port } = make()
    const told: string[] = []
    const stop = port.listen({
      onReady: () => told.push('ready'),
      onClose: () => told.push('close'),
      onError: (error) => told.push(String(error)),
      onConnecting: () => told.push('connecting'),
      onEnd: () => told.push('end'),
      onNodeLost: () => told.push('node'),
    })
    client.on('error', () => {})
    client.emit('error', new Error('refused'))
    for (const event of ['reconnecting', 'ready', 'end']) client.emit(event)
    expect(told).toEqual(['Error: refused', 'close', 'ready', 'close', 'end'])
    stop()
    client.emit('ready')
    expect(told).toHaveLength(5)
    expect(client.listenerCount('error')).toBe(1)
  })
})

const SENTINEL = { name: 'main', sentinelRootNodes: [{ host: '127.0.0.1', port: 1 }] }
const CLUSTER = { rootNodes: [{ url: 'redis://127.0.0.1:1' }] }
const VERSIONS = { 6: redis6, 5: redis5 as unknown as typeof redis6 }

describe.each(Object.entries(VERSIONS))('what version %s makes is taken, connected or not:', (version, redis) => {
  const portOf = (client: RedisClient) => listPorts('redis', client)[0]

  it('a client', () => {
    expect(portOf(redis.createClient())).toMatchObject({ isCluster: false, db: '0', keyPrefix: '', status: 'ended' })
    expect(portOf(redis.createClient({ database: 2 }))).toMatchObject({ db: '2' })
  })

  it('a Cluster', () => {
    const expected = { isCluster: true, db: '0', keyPrefix: '', status: 'ended', label: 'redis cluster' }
    expect(portOf(redis.createCluster(CLUSTER))).toMatchObject(expected)
    expect(portOf(redis.createCluster({ ...CLUSTER, keyPrefix: 'app:' }))).toMatchObject({ keyPrefix: 'app:' })
  })

  it('a Sentinel, with options that version 6 shows', () => {
    const label = version === '6' ? 'redis sentinel main' : 'redis sentinel'
    const expected = { isCluster: false, db: '0', keyPrefix: '', status: 'ended', label }
    expect(portOf(redis.createSentinel(SENTINEL))).toMatchObject(expected)
    if (version === '5') return
    const more = { ...SENTINEL, keyPrefix: 'app:', nodeClientOptions: { database: 3, password: 'secret' } }
    expect(portOf(redis.createSentinel(more))).toMatchObject({
      db: '3',
      keyPrefix: 'app:',
      label: 'redis sentinel main',
    })
  })

  it('a pool', () => {
    const expected = { isCluster: false, db: '0', keyPrefix: '', status: 'ended', label: 'redis pool' }
    expect(portOf(redis.createClientPool({ url: 'redis://127.0.0.1:1' }))).toMatchObject(expected)
    expect(portOf(redis.createClientPool({ database: 3 }))).toMatchObject({ db: '3' })
  })

  it.each([
    ['a client', () => redis.createClient()],
    ['a Cluster', () => redis.createCluster(CLUSTER)],
    ['a Sentinel', () => redis.createSentinel(SENTINEL)],
    ['a pool', () => redis.createClientPool({})],
  ])('%s that is not connected says what is missing', async (_what, create) => {
    await expect(portOf(create())?.send('text', 'get', ['key'])).rejects.toThrow(/call connect\(\)/)
  })
})
