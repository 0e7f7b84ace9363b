import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { RedisTimeoutError, UnexpectedReplyError } from '../../../src/errors.ts'
import { IoredisPort } from '../../../src/redis/clients/ioredis.ts'
import type { IoredisClient } from '../../../src/redis/clients/ioredis-client.ts'
import { Connection, lateReply } from '../../../src/redis/connection.ts'
import { defineScript } from '../../../src/redis/script.ts'
import { deferred } from '../../support/deferred.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const script = defineScript('return 1')

/** A connection whose commands the test answers itself, in order. */
function connect(options: object = {}, more: object = {}) {
  const clock = new FakeClock()
  const sent: string[] = []
  const replies: ReturnType<typeof deferred<unknown>>[] = []
  const client = Object.assign(new EventEmitter(), {
    options: { host: 'here', port: 1, ...options },
    status: 'ready',
    createBuiltinCommand(name: string) {
      const send = (): Promise<unknown> => {
        sent.push(name)
        const reply = deferred<unknown>()
        replies.push(reply)
        return reply.promise
      }
      return { string: send, buffer: send }
    },
    ...more,
  })
  const connection = new Connection(new IoredisPort(client as unknown as IoredisClient), clock, 100)
  return { clock, sent, replies, connection, client }
}

it('sends a script as a whole once, and by its name from then on', async () => {
  const { sent, replies, connection } = connect()
  const first = connection.run(script, [], [])
  replies[0]?.resolve(1)
  await first
  const second = connection.run(script, [], [])
  replies[1]?.resolve(2)
  expect(await second).toBe(2)
  expect(sent).toEqual(['eval', 'evalsha'])
})

it('sends it again when Redis has forgotten it, but not once the deadline has passed', async () => {
  const { clock, sent, replies, connection } = connect()
  const first = connection.run(script, [], [])
  replies[0]?.resolve(1)
  await first

  const forgotten = connection.run(script, [], [])
  replies[1]?.reject(new Error('NOSCRIPT No matching script.'))
  await clock.settle()
  replies[2]?.resolve(3)
  expect(await forgotten).toBe(3)

  const late = expect(connection.run(script, [], [])).rejects.toThrow(RedisTimeoutError)
  await clock.advance(100)
  await late
  replies[3]?.reject(new Error('NOSCRIPT No matching script.'))
  await clock.settle()
  expect(sent).toEqual(['eval', 'evalsha', 'eval', 'evalsha'])
})

it('gives up at its deadline, and tells what comes after all', async () => {
  const { clock, replies, connection } = connect()
  const outcome = connection.command('set').catch((error: unknown) => error)
  await clock.advance(100)
  const error = await outcome
  expect(error).toBeInstanceOf(RedisTimeoutError)
  expect((error as Error).message).toBe('redis here:1 did not answer within commandTimeout (100 ms)')
  replies[0]?.resolve('OK')
  expect(await lateReply(error)).toBe('OK')
  expect(lateReply(new Error('another'))).toBe(undefined)
  expect(clock.pendingTimers).toBe(0)
})

it('names the instance in the error that Redis answered', async () => {
  const { replies, connection } = connect()
  const refusal = new Error('READONLY')
  const outcome = expect(connection.command('set')).rejects.toBe(refusal)
  replies[0]?.reject(refusal)
  await outcome
  expect(refusal).toHaveProperty('instance', 'redis here:1')
})

it('sends nothing while the client is known not to be connected, and rejects with its last error', async () => {
  const { sent, connection, client } = connect()
  client.on('error', () => {})
  const refused = new Error('connect ECONNREFUSED')
  client.emit('close')
  client.status = 'connecting'
  client.emit('error', refused)
  client.emit('close')
  await expect(connection.command('get', 'key')).rejects.toBe(refused)
  expect(sent).toEqual([])
  client.status = 'ready'
  client.emit('ready')
  void connection.command('get', 'key')
  expect(sent).toEqual(['get'])
})

it('names the last error of the connection as the cause of a deadline that was missed', async () => {
  const { clock, connection, client } = connect()
  client.on('error', () => {})
  const reset = new Error('read ECONNRESET')
  const outcome = connection.command('get', 'key').catch((error: unknown) => error)
  client.emit('error', reset)
  await clock.advance(100)
  expect(await outcome).toMatchObject({ code: 'REDIS_TIMEOUT', cause: reset })
})

it('waits for a client that connects for the first time and keeps no queue, but not beyond the deadline', async () => {
  const { clock, sent, replies, connection, client } = connect({ enableOfflineQueue: false })
  client.status = 'connecting'
  const late = expect(connection.command('get', 'late')).rejects.toThrow(RedisTimeoutError)
  await clock.advance(100)
  await late
  const early = connection.command('get', 'early')
  client.status = 'ready'
  client.emit('ready')
  replies[0]?.resolve('value')
  expect(await early).toBe('value')
  expect(sent).toEqual(['get'])
})

it('takes QUEUED for no reply, and no script for known by it', async () => {
  const { sent, replies, connection } = connect()
  for (const [i, reply] of ['QUEUED', Buffer.from('QUEUED')].entries()) {
    const outcome = connection.run(script, [], [])
    replies[i]?.resolve(reply)
    await expect(outcome).rejects.toThrow(UnexpectedReplyError)
  }
  expect(sent).toEqual(['eval', 'eval'])
  expect(connection.failures).toBe(2)
})

it('rejects where a client that is wrapped by something else throws', async () => {
  const { connection, client } = connect()
  client.createBuiltinCommand = () => {
    throw new Error('wrapped badly')
  }
  await expect(connection.command('get', 'key')).rejects.toThrow('wrapped badly')
})

it.each([
  "CROSSSLOT Keys in request don't hash to the same slot",
  'ERR Script attempted to access keys that do not hash to the same slot',
  'ERR Script attempted to access a non local key in a cluster node',
])('learns from %j that keys are split over nodes', async (message) => {
  const { replies, connection } = connect()
  expect(connection.splitsKeys).toBe(false)
  const outcome = connection.command('mget', 'a', 'b')
  replies[0]?.reject(new Error(message))
  await expect(outcome).rejects.toThrow(message)
  expect(connection.splitsKeys).toBe(true)
})

describe('a command that is sent at once', () => {
  const socket = (): { bytesWritten: number; writableLength: number } => ({ bytesWritten: 7, writableLength: 0 })
  /** What a client does to its socket when it is told to send. */
  function sending(stream: ReturnType<typeof socket>, write: () => void) {
    const send = (): Promise<unknown> => {
      write()
      return Promise.resolve(1)
    }
    const createBuiltinCommand = () => ({ string: send, buffer: send })
    return connect({}, { stream, createBuiltinCommand }).connection.runAtOnce(script, ['key'], ['argument'])
  }

  it('goes with its source, though Redis knows the script', async () => {
    const { sent, replies, connection } = connect()
    const first = connection.run(script, [], [])
    replies[0]?.resolve(1)
    await first
    const { reply } = connection.runAtOnce(script, [], [])
    replies[1]?.resolve(2)
    expect(await reply).toBe(2)
    expect(sent).toEqual(['eval', 'eval'])
  })

  it('has left once the socket has taken all of it', () => {
    const stream = socket()
    const { hasLeft } = sending(stream, () => Object.assign(stream, { bytesWritten: 20, writableLength: 13 }))
    expect(hasLeft()).toBe(false)
    stream.writableLength = 0
    expect(hasLeft()).toBe(true)
  })

  it('has not left when the client keeps it, or has no socket to show', () => {
    const stream = socket()
    expect(sending(stream, () => {}).hasLeft()).toBe(false)
    const { replies, connection } = connect()
    expect(connection.runAtOnce(script, [], []).hasLeft()).toBe(false)
    replies[0]?.resolve(1)
  })
})

describe('a command may be sent twice', () => {
  const clientLike = (more: object = {}) => {
    const { client, connection } = connect({}, more)
    return { events: client, connection }
  }

  it.each([
    ['the connection', 'close', {}],
    ['the connection to a node', '-node', { isCluster: true }],
  ])('when %s is lost between the sending and the reply', (_, event, more) => {
    const { events, connection } = clientLike(more)
    const before = connection.watchForRepetition()
    expect(before()).toBe(false)
    events.emit(event)
    expect(before()).toBe(true)
    expect(connection.watchForRepetition()()).toBe(false)
  })

  it('but not when the client had no connection and kept it until it has one', () => {
    const { events, connection } = clientLike({ status: 'reconnecting' })
    const kept = connection.watchForRepetition()
    events.emit('close') // an attempt to connect that failed
    expect(kept()).toBe(false)
  })
})
