import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { Locker, LockNotAcquiredError, RedisTimeoutError } from '../../../src/lock.ts'
import { type RedisServer, startRedis } from '../../support/redis-server.ts'
import { uniquePrefix } from '../../support/shared-redis.ts'
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.ts'
import { settled } from './settled.ts'

/** What an instance may be like. */
const STATES = ['up', 'held', 'failing', 'down', 'frozen'] as const
type State = (typeof STATES)[number]

const COMMAND_TIMEOUT = 170
const FOREIGN = 'a foreign token'

let servers: RedisServer[]
let proxies: TcpProxy[]
let clients: Redis[]

beforeAll(async () => {
  servers = await Promise.all([1, 2, 3, 4].map(() => startRedis()))
  proxies = await Promise.all(servers.map((server) => startProxy(server)))
  // As by default, commands are kept and sent again after a reconnect; only the reconnect is quicker.
  clients = proxies.map(({ port }) => new Redis(port, { retryStrategy: () => 10, maxRetriesPerRequest: null }))
  for (const client of clients) client.on('error', () => {})
  await Promise.all(clients.map((client) => client.ping()))
})

afterAll(async () => {
  for (const client of clients) client.disconnect()
  await Promise.all(proxies.map((proxy) => proxy.close()))
  await Promise.all(servers.map((server) => server.stop()))
})

async function enter(state: State, index: number, key: string): Promise<void> {
  if (state === 'held') await servers[index]?.command('SET', key, FOREIGN)
  if (state === 'failing') await servers[index]?.command('CONFIG', 'SET', 'maxmemory', '1')
  if (state === 'frozen') proxies[index]?.pause()
  if (state === 'down') {
    await proxies[index]?.refuse()
    proxies[index]?.reset()
  }
}

/** Back to normal, and until the client has sent all that it kept. */
async function heal(state: State, index: number): Promise<void> {
  if (state === 'failing') await servers[index]?.command('CONFIG', 'SET', 'maxmemory', '0')
  if (state === 'frozen') proxies[index]?.resume()
  if (state === 'down') await proxies[index]?.accept()
  await clients[index]?.ping()
}

/** The obstacle that an acquisition met with, told by its error. */
function outcome(error: Error | undefined): string {
  if (error === undefined) return 'acquired'
  if (error instanceof LockNotAcquiredError) return 'held'
  if (error.message.startsWith('OOM ')) return 'failing'
  if (error instanceof RedisTimeoutError) return 'silent'
  throw error
}

/** The first obstacle on the way. Nothing tells a Redis that is down from a frozen one. */
function obstacleOf(mask: readonly State[]): string {
  const state = mask.find((candidate) => candidate !== 'up') ?? 'acquired'
  return state === 'down' || state === 'frozen' ? 'silent' : state
}

const everyMask = (states: readonly State[], count: number): State[][] =>
  Array.from({ length: states.length ** count }, (_, mask) =>
    Array.from(
      { length: count },
      (__, index) => states[Math.floor(mask / states.length ** index) % states.length] as State,
    ),
  )

const masks = [
  ...[1, 2, 3].flatMap((count) => everyMask(STATES, count)),
  ...STATES.slice(1).flatMap((state) => everyMask(['up', state], 4)),
]

describe('an acquisition over instances each of which is', () => {
  it.each(masks.map((mask) => [mask.join(', '), mask] as const))('%s: all or nothing', async (_, mask) => {
    const key = uniquePrefix('masks') + mask.join()
    const locker = new Locker({ clients: clients.slice(0, mask.length), commandTimeout: COMMAND_TIMEOUT })
    onTestFinished(() => locker.close())
    await Promise.all(mask.map((state, index) => enter(state, index, key)))

    const { value: lock, error, took } = await settled(locker.tryAcquire(key, 60_000))
    expect(took).toBeLessThan(2 * COMMAND_TIMEOUT + 200)
    expect(outcome(error)).toBe(obstacleOf(mask))
    // Instances that were taken are free again when the caller learns of the failure.
    const up = mask.flatMap((state, index) => (state === 'up' ? [servers[index] as RedisServer] : []))
    const taken = await Promise.all(up.map((server) => server.command('EXISTS', key)))
    expect(taken).toEqual(up.map(() => (lock === undefined ? 0 : 1)))

    await Promise.all(mask.map((state, index) => heal(state, index)))
    const found = await Promise.all(mask.map((__, index) => (servers[index] as RedisServer).command('GET', key)))
    expect(found.map(String)).toEqual(mask.map((state) => (state === 'held' ? FOREIGN : (lock?.token ?? 'null'))))
    await lock?.release()
  })
})
