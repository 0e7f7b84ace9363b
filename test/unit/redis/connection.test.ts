import { EventEmitter } from 'node:events'
import { expect, it } from 'vitest'
import { RedisTimeoutError } from '../../../src/errors.ts'
import type { RedisClient } from '../../../src/redis/client.ts'
import { Connection, lateReply } from '../../../src/redis/connection.ts'
import { defineScript } from '../../../src/redis/script.ts'
import { deferred } from '../../support/deferred.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const script = defineScript('return 1')

/** A connection whose commands the test answers itself, in order. */
function connect(options: object = {}) {
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
  })
  const connection = new Connection(client as unknown as RedisClient, clock, 100)
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
