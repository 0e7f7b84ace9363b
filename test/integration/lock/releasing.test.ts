import { Cluster, Redis } from 'ioredis'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { Locker, LockNotHeldError } from '../../../src/lock.ts'
import { eventually } from '../../support/eventually.ts'
import { startCluster } from '../../support/redis-cluster.ts'
import { startProxiedRedis } from '../../support/proxied-redis.ts'
import type { RedisServer } from '../../support/redis-server.ts'
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.ts'

const KEY = 'released'
const isScript = ([command]: readonly string[]): boolean => /^eval(sha)?$/i.test(command ?? '')

/** A locker that is closed, with its clients, when the test is over. */
function lockerOf(...clients: (Redis | Cluster)[]): Locker {
  for (const client of clients) client.on('error', () => {})
  const locker = new Locker({ clients, commandTimeout: 5000 })
  onTestFinished(async () => {
    await locker.close()
    for (const client of clients) client.disconnect()
  })
  return locker
}

const connect = (port: number): Redis => new Redis(port, { retryStrategy: () => 10, maxRetriesPerRequest: null })

describe('a release whose reply is lost and that the client sends again', () => {
  let servers: RedisServer[]
  let proxies: TcpProxy[]
  let locker: Locker

  beforeEach(async () => {
    const pairs = [await startProxiedRedis(), await startProxiedRedis()]
    servers = pairs.map(({ server }) => server)
    proxies = pairs.map(({ proxy }) => proxy)
  })

  async function useInstances(count: number): Promise<void> {
    locker = lockerOf(...proxies.slice(0, count).map(({ port }) => connect(port)))
    await locker.prepare()
  }

  it.each([1, 2])('has succeeded, over %i instances', async (count) => {
    await useInstances(count)
    for (const proxy of proxies.slice(0, count)) {
      const lock = await locker.tryAcquire(KEY, 60_000)
      const lost = proxy.loseReplies(1, isScript)
      await lock.release()
      await lost
    }
    expect(await servers[0]?.command('EXISTS', KEY)).toBe(0)
  })

  it('does not cost the result of what was done under the lock', async () => {
    await useInstances(1)
    let lost: Promise<void> | undefined
    const result = await locker.withLock(KEY, 60_000, () => {
      lost = proxies[0]?.loseReplies(1, isScript)
      return 'the result'
    })
    await lost
    expect(result).toBe('the result')
  })

  it('has succeeded though another holds the lock meanwhile, and takes nothing from it', async () => {
    await useInstances(1)
    const lock = await locker.tryAcquire(KEY, 60_000)
    const waiter = lockerOf(connect(servers[0]?.port as number)).acquire(KEY, 60_000)
    const queue = `herdlock:queue:{${KEY}}:${KEY}`
    await eventually('it waits', async () => (await servers[0]?.command('ZCARD', queue)) === 1)
    const lost = proxies[0]?.loseReplies(1, isScript)
    await lock.release()
    await lost
    const next = await waiter
    expect(String(await servers[0]?.command('GET', KEY))).toBe(next.token)
    await next.release()
  })

  it('was too late if the lock had run out before it was sent first', async () => {
    await useInstances(1)
    const lock = await locker.tryAcquire(KEY, 50)
    await eventually('it has run out', async () => (await servers[0]?.command('EXISTS', KEY)) === 0)
    const lost = proxies[0]?.loseReplies(1, isScript)
    await expect(lock.release()).rejects.toThrow(LockNotHeldError)
    await lost
  })

  it('was too late if it was sent once only, when the client had its connection again', async () => {
    await useInstances(1)
    const lock = await locker.tryAcquire(KEY, 60_000)
    await proxies[0]?.refuse()
    proxies[0]?.reset()
    await servers[0]?.command('DEL', KEY)
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve))) // the client has noticed
    const released = expect(lock.release()).rejects.toThrow(LockNotHeldError)
    await proxies[0]?.accept()
    await released
  })
})

it('on a Cluster, too, a release whose reply is lost has succeeded', async () => {
  const cluster = await startCluster()
  onTestFinished(() => cluster.stop())
  const proxies = await Promise.all(cluster.addresses.map((address) => startProxy(address)))
  onTestFinished(() => Promise.all(proxies.map((proxy) => proxy.close())).then(() => {}))
  const natMap = Object.fromEntries(
    cluster.addresses.map(({ host, port }, index) => [
      `${host}:${port}`,
      { host: '127.0.0.1', port: proxies[index]?.port as number },
    ]),
  )
  const locker = lockerOf(new Cluster(cluster.addresses, { natMap }))
  await (await locker.acquire(KEY, 60_000)).release() // the script is known
  const lock = await locker.tryAcquire(KEY, 60_000)
  const master = await cluster.masterOf(KEY)
  const proxy = proxies[cluster.addresses.findIndex(({ port }) => port === master.port)]
  const lost = proxy?.loseReplies(1, isScript)
  await lock.release()
  await lost
})
