import { Cluster, Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { ExecutionError } from '../../src/redlock/errors.ts'
import { Redlock } from '../../src/redlock/redlock.ts'
import { eventually } from '../support/eventually.ts'
import { startCluster, type RedisCluster } from '../support/redis-cluster.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'

/* What redlock does otherwise: see test/contract/redlock.test.ts for what is the same. */

let servers: [RedisServer, RedisServer]
let cluster: RedisCluster
let clients: [Redis, Redis]
beforeAll(async () => {
  servers = await Promise.all([startRedis(), startRedis()])
  cluster = await startCluster()
}, 60_000)
afterAll(() => Promise.all([...servers, cluster].map((server) => server.stop())))
beforeEach(() => {
  clients = [new Redis(servers[0].url), new Redis(servers[1].url)]
  for (const client of clients) client.on('error', () => {})
})
afterEach(async () => {
  for (const client of clients) client.disconnect()
  for (const server of servers) {
    server.resume()
    await server.command('PING').catch(() => server.restart())
    await server.command('FLUSHALL')
  }
})

test('a lock is held in all instances, or in none', async () => {
  const redlock = new Redlock(clients)
  const lock = await redlock.acquire(['a', 'b'], 5000)
  const held = (): Promise<number[]> => Promise.all(clients.map((client) => client.exists('a', 'b')))
  expect(await held()).toEqual([2, 2])
  expect(await lock.attempts[0]).toEqual({
    membershipSize: 2,
    quorumSize: 2,
    votesFor: new Set(clients),
    votesAgainst: new Map(),
  })
  await lock.release()
  await clients[1].set('b', 'of another')
  await expect(redlock.acquire(['a', 'b'], 5000, { retryCount: 0 })).rejects.toBeInstanceOf(ExecutionError)
  expect(await held()).toEqual([0, 1])
})

test('resources in any slots of a Cluster are locked together', async () => {
  const client = new Cluster([...cluster.addresses])
  const resources = Array.from({ length: 8 }, (_, i) => `resource ${i}`)
  const lock = await new Redlock([client]).acquire(resources, 5000)
  expect(lock.value.split(',')).toEqual(await Promise.all(resources.map((resource) => client.get(resource))))
  await lock.release()
  client.disconnect()
})

test('calls that name the same resources in another order do not wait for each other in a circle', async () => {
  const redlock = new Redlock([clients[0]], { retryCount: -1, automaticExtensionThreshold: 500 })
  let [running, most] = [0, 0]
  const run = (resources: string[]) => () =>
    redlock.using(resources, 5000, async () => {
      most = Math.max(most, ++running)
      await clients[0].ping()
      running--
    })
  const orders = [run(['a', 'b', 'a']), run(['b', 'a']), run(['b', 'c']), run(['c', 'a'])]
  await Promise.all(Array.from({ length: 40 }, async (_, i) => orders[i % 4]?.()))
  expect(most).toBe(1)
})

test('what has waited for the others has its whole duration at the end', async () => {
  const redlock = new Redlock([clients[0]], { retryCount: -1, retryDelay: 10, retryJitter: 0 })
  const other = await redlock.acquire(['b'], 5000)
  const waiting = redlock.acquire(['a', 'b'], 400)
  await eventually('the first is locked', () => clients[0].exists('a'))
  await eventually('it has given up the first in between', async () => !(await clients[0].exists('a')), { every: 1 })
  await other.release()
  const lock = await waiting
  for (const key of ['a', 'b']) expect(await clients[0].pttl(key)).toBeGreaterThan(200)
  await lock.release()
})

test('a failure of Redis is told, and tried again until attempts are used up', async () => {
  const errors: Error[] = []
  const redlock = new Redlock([clients[0]], { retryCount: 3, retryDelay: 30, retryJitter: 0 })
  redlock.on('error', (error: Error) => errors.push(error))
  const lock = await redlock.acquire(['held'], 60_000)
  let closes = 0
  clients[0].on('close', () => void closes++)
  await servers[0].kill()
  await eventually('the client has tried to connect again, in vain', () => closes > 1)
  for (const work of [() => redlock.acquire(['a'], 5000), () => lock.release()]) {
    const error = (await work().catch((reason: unknown) => reason)) as ExecutionError
    expect(error).toBeInstanceOf(ExecutionError)
    expect(error.attempts).toHaveLength(4)
    expect([...((await error.attempts[0])?.votesAgainst.keys() ?? [])]).toEqual([clients[0]])
    expect(errors).toContain(error.cause)
  }
  await servers[0].restart()
  expect(await redlock.acquire(['a'], 5000, { retryCount: -1 })).toMatchObject({ resources: ['a'] })
})

test('quit ends waiting and the clients', async () => {
  const redlock = new Redlock([clients[0]])
  await redlock.acquire(['a'], 60_000)
  const waiting = redlock.acquire(['a'], 5000, { retryCount: -1 })
  const outcome = expect(waiting).rejects.toBeInstanceOf(ExecutionError)
  await redlock.quit()
  await outcome
  await eventually('the client has ended', () => clients[0].status === 'end')
  await expect(redlock.acquire(['b'], 5000, { retryCount: 0 })).rejects.toBeInstanceOf(ExecutionError)
})

test.each([[[]], ['a'], [['']], [[7]]])('refuses %o as resources', async (wrong) => {
  await expect(new Redlock([clients[0]]).acquire(wrong as string[], 5000)).rejects.toThrow(/^resources? must be/)
})

test('refuses what is no duration, no routine and no setting', async () => {
  const redlock = new Redlock([clients[0]])
  await expect(redlock.acquire(['a'], -1)).rejects.toThrow(/^duration must be/)
  await expect(redlock.using(['a'], 5000, {}, 7 as never)).rejects.toThrow(/^routine must be/)
  await expect(redlock.acquire(['a'], 5000, { retryDelay: -1 })).rejects.toThrow(/^retryDelay must be/)
  expect(() => new Redlock([clients[0]], { retryCount: -2 })).toThrow(/^retryCount must be/)
})
