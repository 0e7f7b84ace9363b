import { beforeEach, describe, expect, it } from 'vitest'
import type { SubscriberError } from '../../../src/errors.ts'
import type { ClientPort, MessageHooks } from '../../../src/redis/client-port.ts'
import { Connection } from '../../../src/redis/connection.ts'
import { type Member, MessageConnection } from '../../../src/redis/message-connection.ts'
import { FakeClock } from '../../support/fake-clock.ts'

interface Opened {
  readonly hooks: MessageHooks
  /** Channels that were asked for, and those that were left, in order. */
  readonly said: string[]
  isClosed: boolean
}

describe('a connection for messages that several use', () => {
  let clock: FakeClock
  let opened: Opened[]
  let forbidden: Set<string>
  let connection: Connection
  let told: string[]
  beforeEach(() => {
    clock = new FakeClock()
    opened = []
    forbidden = new Set()
    told = []
    const port: ClientPort = {
      ...{ isCluster: false, label: 'redis here', keyPrefix: '', db: '0', readsFromReplicas: false, queues: true },
      ...{ status: 'ready', stream: undefined },
      send: () => Promise.resolve('OK'),
      connect: () => {},
      masters: () => [port],
      listen: () => () => {},
      openMessages(_attempt, _kind, hooks) {
        const said: string[] = []
        const one: Opened = { hooks, said, isClosed: false }
        opened.push(one)
        return {
          async subscribe(channels) {
            said.push(...channels.map((channel) => `+${channel}`))
            if (channels.some((channel) => forbidden.has(channel))) throw new Error('NOPERM no')
          },
          unsubscribe: (channels) => void said.push(...channels.map((channel) => `-${channel}`)),
          close: () => void (one.isClosed = true),
        }
      },
    }
    connection = new Connection(port, clock, 100)
  })

  const line = (): MessageConnection => MessageConnection.of(connection, clock, {})
  const member = (name: string, ...channels: string[]): Member & { readonly channels: Set<string> } => ({
    channels: new Set(channels),
    onReady: () => void told.push(`${name} ready`),
    onAdded: (added) => void told.push(`${name} hears ${added.join()}`),
    onLost: () => void told.push(`${name} lost`),
    onMessage: (channel, message) => void told.push(`${name} ${channel.toString()} ${message.toString()}`),
    onFailure: (error: SubscriberError) =>
      void told.push(`${name} failure ${error.message.includes('NOPERM') ? 'NOPERM' : ''}`),
    onEnd: () => void told.push(`${name} end`),
  })
  const present = (): Opened => opened.at(-1) as Opened
  const say = (channel: string, message: string): void =>
    present().hooks.onMessage(Buffer.from(channel), Buffer.from(message))
  async function ready(): Promise<void> {
    present().hooks.onReady()
    await clock.settle()
  }

  it('asks for a channel once, however many share it, and leaves it with the last of them', async () => {
    const [a, b] = [member('a', 'inbox a', 'all'), member('b', 'inbox b', 'all')]
    line().join(a)
    line().join(b)
    await ready()
    expect(opened).toHaveLength(1)
    expect(present().said).toEqual(['+inbox a', '+all', '+inbox b'])
    say('all', '1')
    say('inbox b', '2')
    expect(told).toEqual(['a ready', 'b ready', 'a all 1', 'b all 1', 'b inbox b 2'])
    line().leave(a)
    expect(present().said.slice(3)).toEqual(['-inbox a'])
    say('all', '3')
    expect(told.slice(5)).toEqual(['b all 3'])
    expect(present().isClosed).toBe(false)
    line().leave(b)
    expect(present().isClosed).toBe(true)
    expect(clock.pendingKeepAliveTimers).toBe(0)
    line().join(a)
    expect(opened).toHaveLength(2)
  })

  it('adds channels to a member, and takes them away, while others go on with them', async () => {
    const [a, b] = [member('a', 'inbox a'), member('b', 'inbox b', 'part 1')]
    const add = (channel: string): void => {
      a.channels.add(channel)
      line().added(a, [channel])
    }
    line().join(a)
    add('part 0') // before there is a connection
    line().join(b)
    await ready()
    expect(told).toEqual(['a ready', 'b ready'])
    add('part 1')
    add('part 2')
    expect(told).toHaveLength(2) // Redis has not answered yet
    await clock.settle()
    expect(told.slice(2)).toEqual(['a hears part 1', 'a hears part 2'])
    expect(present().said).toEqual(['+inbox a', '+part 0', '+inbox b', '+part 1', '+part 2'])
    say('part 0', '1')
    say('part 1', '2')
    say('part 2', '3')
    expect(told.slice(4)).toEqual(['a part 0 1', 'a part 1 2', 'b part 1 2', 'a part 2 3'])
    for (const channel of ['part 1', 'part 2']) {
      a.channels.delete(channel)
      line().removed([channel])
    }
    expect(present().said.slice(5)).toEqual(['-part 2'])
    say('part 1', '4')
    expect(told.slice(8)).toEqual(['b part 1 4'])
  })

  it('hears of a channel that was left and added again from the second answer on', async () => {
    const a = member('a', 'inbox a')
    line().join(a)
    await ready()
    a.channels.add('part')
    line().added(a, ['part'])
    a.channels.delete('part')
    line().removed(['part'])
    a.channels.add('part')
    line().added(a, ['part'])
    await clock.settle()
    expect(told).toEqual(['a ready', 'a hears part'])
    expect(present().said).toEqual(['+inbox a', '+part', '-part', '+part'])
  })

  it('reports that an added channel is refused, and asks for it on the next connection', async () => {
    const a = member('a', 'inbox a')
    line().join(a)
    await ready()
    forbidden.add('part')
    a.channels.add('part')
    line().added(a, ['part'])
    await clock.settle()
    expect(told).toEqual(['a ready', 'a failure NOPERM'])
    expect(line().hears(a)).toBe(true)
    forbidden.clear()
    line().reopen('for the test')
    await clock.advance(100)
    await ready()
    expect(present().said).toEqual(['+inbox a', '+part'])
  })

  it('tells the others what one has thrown at', async () => {
    const failing: Member = {
      ...member('failing', 'all'),
      onMessage() {
        throw new Error('of a listener')
      },
    }
    line().join(failing)
    line().join(member('b', 'all'))
    await ready()
    expect(() => say('all', '1')).toThrow('of a listener')
    expect(told.at(-1)).toBe('b all 1')
  })

  it('goes on for those who are heard while another is refused, and asks again for that one with longer pauses', async () => {
    forbidden.add('no')
    line().join(member('a', 'all'))
    const refused = member('refused', 'inbox', 'no')
    line().join(refused)
    await ready()
    expect(opened).toHaveLength(1)
    expect(told).toEqual(['a ready', 'refused failure NOPERM'])
    expect([line().hears(refused), line().isRefused(refused), line().isFailing]).toEqual([false, true, false])
    await clock.advance(1000)
    const times = present().said.filter((said) => said === '+no').length
    expect(times).toBeGreaterThan(2)
    expect(times).toBeLessThan(6)
    forbidden.clear()
    await clock.advance(5000)
    expect(line().hears(refused)).toBe(true)
    expect(told.at(-1)).toBe('refused ready')
    expect(opened).toHaveLength(1)
  })

  it('is opened anew, perhaps with other credentials, where all are refused', async () => {
    forbidden.add('no')
    line().join(member('a', 'no'))
    line().join(member('b', 'b', 'no'))
    await ready()
    expect(present().isClosed).toBe(true)
    expect(line().isFailing).toBe(true)
    expect(told).toEqual(['a failure NOPERM', 'b failure NOPERM'])
    forbidden.clear()
    await clock.advance(100)
    expect(opened).toHaveLength(2)
    await ready()
    expect(told.slice(2)).toEqual(['a ready', 'b ready'])
    expect(line().isFailing).toBe(false)
  })

  it('is opened anew when it is lost, and given up when it leads nowhere', async () => {
    line().join(member('a', 'a'))
    await ready()
    const link = present()
    line().join(member('b', 'b'))
    await clock.settle()
    expect(told).toEqual(['a ready', 'b ready'])
    link.hooks.onEnd(new Error('lost'))
    expect(told.slice(2)).toEqual(['a lost', 'b lost'])
    await clock.advance(100)
    expect(opened).toHaveLength(2)
    await clock.advance(4500)
    expect(present()).not.toBe(opened[1])
    expect(opened[1]?.isClosed).toBe(true)
  })
})
