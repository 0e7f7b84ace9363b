import { EventEmitter } from 'node:events'
import { createClient, createClientPool, createCluster, createSentinel } from 'redis'
import { describe, expect, it } from 'vitest'
import type { ClientStatus } from '../../../../src/redis/client-port.ts'
import type { NodeRedisClient } from '../../../../src/redis/clients/node-redis-client.ts'
import { NodeRedisPort } from '../../../../src/redis/clients/node-redis.ts'
import { listPorts } from '../../../../src/redis/clients/port-of.ts'

/** A client that keeps what it is told to send. */
function make(options: object = {}, state: { isOpen: boolean; isReady: boolean } = { isOpen: true, isReady: true }) {
  const sent: { words: unknown; options: unknown }[] = []
  const client = Object.assign(new EventEmitter(), {
    options,
    ...state,
    sendCommand: (words: unknown, how: unknown) => Promise.resolve(sent.push({ words, options: how })),
    duplicate: () => {},
  })
  return { client, sent, port: new NodeRedisPort(client as unknown as NodeRedisClient) }
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

it.each([
  ['a Cluster', () => createCluster({ rootNodes: [{ url: 'redis://127.0.0.1:1' }] })],
  ['a Sentinel', () => createSentinel({ name: 'main', sentinelRootNodes: [{ host: '127.0.0.1', port: 1 }] })],
  ['a pool', () => createClientPool({ url: 'redis://127.0.0.1:1' })],
])('%s of node-redis is refused by name', (_what, create) => {
  expect(() => listPorts('redis', create() as never)).toThrow(/^redis must be .*node-redis/)
})

it('a client of node-redis is taken, connected or not', () => {
  expect(listPorts('redis', createClient())).toHaveLength(1)
})
