import { beforeEach, describe, expect, it } from 'vitest'
import type { ClientPort, MessageHooks, MessageKind, Shard } from '../../../src/redis/client-port.ts'
import { Connection } from '../../../src/redis/connection.ts'
import { hashedPart, hashSlot } from '../../../src/redis/hash-slot.ts'
import { Inboxes } from '../../../src/redis/inboxes.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'

const A: Shard = { node: 'a:1', tag: '0' }
const KEY = 'app:{user}'
const SLOT = hashSlot(hashedPart(KEY))

interface Opened {
  readonly kind: MessageKind
  readonly channels: string[]
  readonly hooks: MessageHooks
  isClosed: boolean
}

/** A Cluster whose connections for messages the test opens and ends; commands succeed. */
function makeCluster() {
  const cluster = { shard: A as Shard | undefined, opened: [] as Opened[] }
  const port: ClientPort = {
    ...{ isCluster: true, label: 'redis cluster', keyPrefix: '', db: '0', readsFromReplicas: false, queues: true },
    ...{ status: 'ready', stream: undefined },
    send: () => Promise.resolve('OK'),
    connect: () => {},
    masters: () => [port],
    listen: () => () => {},
    shardOf: (slot) => (slot === SLOT ? cluster.shard : undefined),
    openMessages(_attempt, kind, hooks) {
      const opened: Opened = { kind, channels: [], hooks, isClosed: false }
      cluster.opened.push(opened)
      return {
        subscribe: async (channels) => opened.channels.push(...channels),
        unsubscribe() {},
        close: () => void (opened.isClosed = true),
      }
    },
  }
  return { cluster, port }
}

describe('the inboxes of a Cluster', () => {
  let clock: FakeClock
  let made: ReturnType<typeof makeCluster>
  let inboxes: Inboxes
  let resets: number
  let heard: string[]
  beforeEach(() => {
    clock = new FakeClock()
    made = makeCluster()
    inboxes = new Inboxes(new Connection(made.port, clock, 100), clock, new FakeRandom())
    resets = 0
    heard = []
  })

  const wait = (): (() => void) =>
    inboxes.listen(
      KEY,
      'topic',
      clock.now(),
      (payload) => void heard.push(payload.toString()),
      () => void resets++,
    )
  const ofShards = (): Opened[] => made.cluster.opened.filter(({ kind }) => kind.shard !== undefined)
  const publish = ({ channels, hooks }: Opened, payload: string): void =>
    hooks.onMessage(Buffer.from(channels[0] as string), Buffer.from(`5:topic${payload}`))

  it('are one until somebody has waited for a key of a shard, and that can be heard', async () => {
    expect(inboxes.of(KEY)).toBe(inboxes.main)
    wait()()
    expect(inboxes.of(KEY)).toBe(inboxes.main)
    ofShards()[0]?.hooks.onReady()
    await clock.settle()
    expect(inboxes.of(KEY).address).toBe(`{0}${inboxes.main.id}`)
    expect(ofShards()[0]?.channels).toEqual([`herdlock:inbox:{0}${inboxes.main.id}`])
    expect(inboxes.of('app:{another}')).toBe(inboxes.main)
    wait()()
    expect(ofShards()).toHaveLength(1)
  })

  it('hand on what comes by the shard to those who have asked since it is heard, and to those before by the main one', async () => {
    wait()
    void inboxes.main.open()
    made.cluster.opened.find(({ kind }) => kind.shard === undefined)?.hooks.onReady()
    await clock.settle()
    const [shard] = ofShards() as [Opened]
    shard.hooks.onReady()
    await clock.settle()
    publish(made.cluster.opened.find((each) => each !== shard) as Opened, 'by all')
    expect(heard).toEqual(['by all'])
    await clock.advance(10)
    wait()
    publish(shard, 'by the shard')
    expect(heard).toEqual(['by all', 'by the shard'])
  })

  it('send those who wait to look when the shard is lost', async () => {
    wait()()
    const [shard] = ofShards() as [Opened]
    shard.hooks.onReady()
    await clock.settle()
    await clock.advance(10)
    wait()
    expect(resets).toBe(0)
    shard.hooks.onEnd(new Error('lost'))
    expect(resets).toBe(1)
    expect(inboxes.of(KEY)).toBe(inboxes.main)
  })

  it.each([
    ["ERR unknown command 'ssubscribe'", false],
    ['NOPERM this user has no permissions', false],
    ['the node is gone', true],
  ])('after "%s" another attempt is made: %s', async (message, isTriedAgain) => {
    wait()()
    ofShards()[0]?.hooks.onEnd(new Error(message))
    await clock.settle()
    wait()()
    expect(ofShards()).toHaveLength(isTriedAgain ? 2 : 1)
    expect(inboxes.of(KEY)).toBe(inboxes.main)
  })

  it('follow a shard whose slots have moved', async () => {
    wait()()
    const [before] = ofShards() as [Opened]
    before.hooks.onReady()
    await clock.settle()
    await clock.advance(10)
    wait()
    made.cluster.shard = { node: 'a:1', tag: '1' }
    expect(inboxes.of(KEY)).toBe(inboxes.main)
    wait()()
    expect(before.isClosed).toBe(true)
    expect(resets).toBe(1)
    ofShards()[1]?.hooks.onReady()
    await clock.settle()
    expect(inboxes.of(KEY).address).toBe(`{1}${inboxes.main.id}`)
  })

  it('are closed together', async () => {
    wait()()
    void inboxes.main.open()
    for (const { hooks } of made.cluster.opened) hooks.onReady()
    await clock.settle()
    inboxes.close()
    expect(made.cluster.opened.map(({ isClosed }) => isClosed)).toEqual([true, true])
    wait()()
    expect(made.cluster.opened).toHaveLength(2)
  })
})
