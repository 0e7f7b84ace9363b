import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import type { ClientPort, ReplyKind } from '../../../../src/redis/client-port.ts'
import { asReplyError } from '../../../../src/redis/clients/glide-error.ts'
import { GlidePort } from '../../../../src/redis/clients/glide.ts'
import { listPorts } from '../../../../src/redis/clients/port-of.ts'
import { hashSlot } from '../../../../src/redis/hash-slot.ts'
import { deferred } from '../../../support/deferred.ts'

type Answer = (words: readonly unknown[]) => unknown

/** A client that keeps what it is told to send. */
function make(config: object = {}, { isCluster = false, answer = (() => null) as Answer } = {}) {
  const sent: { words: readonly unknown[]; options: { decoder: number; route?: { key: string } } }[] = []
  const client = {
    config,
    isClosed: false,
    socket: new EventEmitter(),
    customCommand(words: readonly unknown[], options: (typeof sent)[number]['options']) {
      sent.push({ words, options })
      return Promise.resolve(answer(words))
    },
    close: () => {},
    ...(isCluster ? { fcallWithRoute: () => {} } : {}),
  }
  return { client, sent, port: new GlidePort(client) }
}

function requestError(message: string): Error {
  return Object.defineProperty(new Error(message), 'name', { value: 'RequestError' })
}

describe('the port of GLIDE', () => {
  it('says where the client leads and not how to get in', () => {
    const config = { addresses: [{ host: 'db', port: 6380 }, { host: 'other' }], credentials: { password: 'secret' } }
    expect(make(config).port.label).toBe('redis db:6380')
    expect(make({ addresses: [{ host: 'db' }] }).port.label).toBe('redis db:6379')
    expect(make({}, { isCluster: true }).port.label).toBe('redis cluster')
  })

  it('knows the database, and how long the client waits', () => {
    expect(make().port).toMatchObject({ db: '0', commandTimeout: 250, isCluster: false })
    const { port } = make({ databaseId: 3, requestTimeout: 1000 }, { isCluster: true })
    expect(port).toMatchObject({ db: '3', commandTimeout: 1000, isCluster: true })
  })

  it('tells of the end of the client, the only event that there is', () => {
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
    expect(port.status).toBe('unknown')
    client.isClosed = true
    client.socket.emit('close')
    expect(port.status).toBe('ended')
    expect(told).toEqual(['Error: the client of GLIDE is closed', 'close', 'end'])
    stop()
    expect(client.socket.listenerCount('close')).toBe(0)
  })

  it('asks for bytes whatever is wanted, for GLIDE drops a text that is no UTF-8', async () => {
    const bytes = Buffer.from([0, 255])
    const { port, sent } = make({}, { answer: () => [Buffer.from('é'), 7, null, [bytes]] })
    expect(await port.send('text', 'set', ['key', bytes, 'PX', 100])).toEqual(['é', 7, null, ['\0\ufffd']])
    expect(await port.send('bytes', 'get', ['key'])).toEqual([Buffer.from('é'), 7, null, [bytes]])
    expect(sent.map(({ words }) => words)).toEqual([
      ['set', 'key', bytes, 'PX', '100'],
      ['get', 'key'],
    ])
    expect(sent.every(({ options }) => options.decoder === 0)).toBe(true)
  })

  it.each([
    [{}, 32],
    [{ inflightRequestsLimit: 20 }, 10],
    [{ inflightRequestsLimit: 1 }, 1],
  ])('with %j has at most %i commands under way, and sends the others in their order', async (config, most) => {
    const gates: (() => void)[] = []
    const { port, sent } = make(config, {
      answer: () => {
        const gate = deferred<null>()
        gates.push(() => gate.resolve(null))
        return gate.promise
      },
    })
    const numbers = Array.from({ length: 50 }, (_, index) => index)
    const replies = numbers.map((number) => port.send('text', 'get', [number]))
    expect(sent).toHaveLength(most)
    for (const [index, reply] of replies.entries()) {
      gates[index]?.()
      await reply
      expect(sent.length).toBeLessThanOrEqual(index + 1 + most)
    }
    expect(sent.map(({ words }) => Number(words[1]))).toEqual(numbers)
  })

  it('goes on after a command that failed', async () => {
    const { port } = make(
      { inflightRequestsLimit: 1 },
      { answer: () => Promise.reject(requestError('OOM: no memory')) },
    )
    const both = await Promise.allSettled([port.send('text', 'get', ['a']), port.send('text', 'get', ['b'])])
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  })
})

describe.each([
  ['reads from replicas', { readFrom: 'preferReplica' }],
  ['keeps replies in a cache of its own', { clientSideCache: {} }],
  ['compresses values', { compression: { enabled: true } }],
])('of a client that %s', (_what, config) => {
  it.each<[ReplyKind, string, (string | number)[], string[]]>([
    ['text', 'get', ['a'], ['0', 'get', 'a']],
    ['bytes', 'mget', ['a', 'b'], ['0', 'mget', 'a', 'b']],
    ['text', 'time', [], ['0', 'time']],
    ['text', 'publish', ['channel', ''], ['0', 'publish', 'channel', '']],
  ])('a %s reply to %s %j comes from the master, as it is: in a script', async (as, name, args, words) => {
    const { port, sent } = make(config)
    await port.send(as, name, args)
    expect(sent[0]?.words).toEqual(['eval', 'return redis.call(unpack(ARGV))', ...words])
  })

  it('scripts are sent as they are', async () => {
    const { port, sent } = make(config)
    await port.send('text', 'evalsha', ['sha', 1, 'a'])
    expect(sent[0]?.words).toEqual(['evalsha', 'sha', '1', 'a'])
  })

  it('a Cluster is told the key, where there is one', async () => {
    const { port, sent } = make(config, { isCluster: true })
    await port.send('text', 'get', ['a'])
    await port.send('text', 'publish', ['channel', ''])
    expect(sent.map(({ words }) => words)).toEqual([
      ['eval', 'return redis.call(unpack(ARGV))', '1', 'a', 'get', 'a'],
      ['publish', 'channel', ''],
    ])
  })
})

it.each([{}, { readFrom: 'primary' }, { compression: { enabled: false } }])('%j leaves reads alone', async (config) => {
  const { port, sent } = make(config)
  await port.send('text', 'get', ['a'])
  expect(sent[0]?.words).toEqual(['get', 'a'])
})

it('reaches each master of a Cluster by a key of one of its slots', async () => {
  const [one, other] = [
    ['10.0.0.1', 6379, 'id 1'],
    ['10.0.0.2', 6379, 'id 2'],
  ]
  const slots = [
    [0, 5000, one, other],
    [5001, 16383, other, one],
    [123, 123, one],
  ]
  const { port, sent } = make({}, { isCluster: true, answer: ([name]) => (name === 'cluster' ? slots : null) })
  const masters: readonly ClientPort[] = await port.masters()
  expect(masters.map(({ isCluster }) => isCluster)).toEqual([false, false])
  for (const master of masters) await master.send('text', 'scan', ['0'])
  const [ofOne, ofOther] = sent.slice(1).map(({ options }) => hashSlot(options.route?.key as string))
  expect(ofOne).toBe(123)
  expect(ofOther).toBeGreaterThan(5000)
  expect(await make().port.masters()).toHaveLength(1)
})

describe('an error that Redis has answered', () => {
  const signalled = 'An error was signalled by the server: -'
  it.each([
    [
      `${signalled} NoScriptError: No matching script. Please use EVAL.`,
      'NOSCRIPT No matching script. Please use EVAL.',
    ],
    [`${signalled} ResponseError: user_script:1: boom\nat 2`, 'ERR user_script:1: boom\nat 2'],
    [`${signalled} PermissionDenied: no permissions`, 'NOPERM no permissions'],
    [`${signalled} CrossSlot: Keys in request`, 'CROSSSLOT Keys in request'],
    [`${signalled} ReadOnly: You can't write`, "READONLY You can't write"],
    ['An error was signalled by the server:- BusyLoadingError', 'LOADING '],
    ['WRONGTYPE: Operation against a key', 'WRONGTYPE Operation against a key'],
    ['OOM: command not allowed', 'OOM command not allowed'],
  ])('%j begins with its code', (message, told) => {
    const given = requestError(message)
    expect(asReplyError(given)).toMatchObject({ name: 'ReplyError', message: told, cause: given })
  })

  it('is behind the error of a client that could not be made', () => {
    const told = (why: string, where = ' for address `h:1`'): unknown =>
      asReplyError(new Error(`Connection error: Standalone(Received error${where}: ${why}\n)`))
    expect(told('WRONGPASS: invalid username')).toMatchObject({
      name: 'ReplyError',
      message: 'WRONGPASS invalid username',
    })
    expect(told(`${signalled} PermissionDenied: no`)).toMatchObject({ name: 'ReplyError', message: 'NOPERM no' })
    expect(told('Connection refused')).toMatchObject({ name: 'Error', message: 'Connection refused' })
    expect(told('No primary node found', '')).toMatchObject({ message: 'No primary node found' })
  })

  it.each([
    requestError('Reached maximum inflight requests- ClientError'),
    Object.assign(new Error('timed out'), { name: 'TimeoutError' }),
    new Error('WRONGTYPE: not of Redis'),
    'a string',
  ])('%o is none', (given) => {
    expect(asReplyError(given)).toBe(given)
  })
})

it('messages need what the client was made of', () => {
  const { client } = make()
  const port = new GlidePort({ ...client, config: undefined } as never)
  const open = () => port.openMessages(0, {}, { onReady() {}, onMessage() {}, onEnd() {} })
  expect(open).toThrow(/configuration of the GLIDE client/)
})

it('a client of GLIDE is taken, and has one port', () => {
  const { client } = make()
  expect(listPorts('redis', client)[0]).toBe(listPorts('redis', [client])[0])
})
