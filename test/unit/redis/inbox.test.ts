import { EventEmitter } from 'node:events'
import { expect, it } from 'vitest'
import { IoredisPort } from '../../../src/redis/clients/ioredis.ts'
import type { IoredisClient } from '../../../src/redis/clients/ioredis-client.ts'
import { Connection } from '../../../src/redis/connection.ts'
import { Inbox } from '../../../src/redis/inbox.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'

/** A client whose commands all succeed. */
function client(): EventEmitter & IoredisClient {
  const send = (): Promise<unknown> => Promise.resolve('OK')
  return Object.assign(new EventEmitter(), {
    options: { host: 'here', port: 1 },
    status: 'ready',
    createBuiltinCommand: () => ({ string: send, buffer: send }),
    duplicate: (): IoredisClient => client(),
    disconnect() {},
  })
}

/** An inbox that is open, and what it tells of itself. */
async function openInbox() {
  const clock = new FakeClock()
  const user = client()
  const duplicates: EventEmitter[] = []
  user.duplicate = () => {
    const made = client()
    duplicates.push(made)
    return made
  }
  const told: string[] = []
  const inbox = new Inbox(new Connection(new IoredisPort(user), clock, 100), clock, new FakeRandom(), {
    broadcast: {
      channels: ['all'],
      onMessage: (message) => void told.push(`message ${message.toString()}`),
      onSync: (state) => void told.push(state),
    },
  })
  const connect = async (): Promise<void> => {
    duplicates.at(-1)?.emit('ready')
    await clock.settle()
  }
  const opened = inbox.open()
  await connect()
  await opened
  const publish = (topic: string, payload: string): void => {
    const message = Buffer.from(`${topic.length}:${topic}${payload}`)
    duplicates.at(-1)?.emit('messageBuffer', Buffer.from(`herdlock:inbox:${inbox.id}`), message)
  }
  const heard = (topic: string, since: number): string[] => {
    const found: string[] = []
    inbox.listen(topic, (payload) => void found.push(payload.toString()), since)()
    return found
  }
  return { clock, user, duplicates, inbox, told, connect, publish, heard }
}

it('keeps every message that comes while a question is under way, however many and however long', async () => {
  const { clock, inbox, publish, heard } = await openInbox()
  const askedAt = clock.now()
  const end = inbox.ask()
  for (let i = 0; i < 5000; i++) publish(`topic ${i}`, `${i}`)
  await clock.advance(60_000)
  end()
  expect(heard('topic 0', askedAt)).toEqual(['0'])
  expect(heard('topic 4999', askedAt)).toEqual(['4999'])
  await clock.settle()
  expect(heard('topic 0', askedAt)).toEqual([])
})

it('keeps nothing while nobody has asked', async () => {
  const { inbox, publish, heard } = await openInbox()
  publish('topic', 'early')
  inbox.ask()
  expect(heard('topic', -Infinity)).toEqual([])
})

it('keeps what a later question may be answered by when an earlier one ends', async () => {
  const { clock, inbox, publish, heard } = await openInbox()
  const endFirst = inbox.ask()
  publish('first', '1')
  await clock.advance(10)
  const secondAt = clock.now()
  const endSecond = inbox.ask()
  publish('second', '2')
  endFirst()
  await clock.settle()
  expect(heard('first', -Infinity)).toEqual([])
  expect(heard('second', secondAt)).toEqual(['2'])
  endSecond()
  await clock.settle()
  expect(heard('second', -Infinity)).toEqual([])
})

it('tells its owner when it is in step for the first time, no longer, and again', async () => {
  const { clock, duplicates, inbox, told, connect } = await openInbox()
  expect(told).toEqual(['first'])
  duplicates.at(-1)?.emit('end')
  expect(told).toEqual(['first', 'lost'])
  expect(inbox.ready).toBe(false)
  await clock.advance(1000)
  await connect()
  expect(told).toEqual(['first', 'lost', 'again'])
  inbox.close()
  expect(told).toEqual(['first', 'lost', 'again'])
  expect(clock.pendingKeepAliveTimers).toBe(0)
})

it('ends with the user’s client, and opens when it is asked to after that has come back', async () => {
  const { clock, user, duplicates, inbox } = await openInbox()
  Object.assign(user, { status: 'end' })
  user.emit('end')
  expect(inbox.state).toBe('closed')
  void inbox.open()
  await clock.advance(10_000)
  expect(duplicates).toHaveLength(1)
  Object.assign(user, { status: 'ready' })
  const opened = inbox.open()
  duplicates.at(-1)?.emit('ready')
  await opened
  expect(duplicates).toHaveLength(2)
  expect(inbox.state).toBe('connected')
})

it('gives up an attempt that leads nowhere, with more patience each time, and hurries once the client is back', async () => {
  const { clock, user, duplicates, inbox } = await openInbox()
  duplicates.at(-1)?.emit('end')
  await clock.advance(100)
  expect(duplicates).toHaveLength(2)
  await clock.advance(4000 + 200)
  expect(inbox.state).toBe('failing')
  expect(duplicates).toHaveLength(3)
  duplicates.at(-1)?.emit('end')
  expect(duplicates).toHaveLength(3)
  user.emit('ready')
  await clock.advance(0)
  expect(duplicates).toHaveLength(4)
})
