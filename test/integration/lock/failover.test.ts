import { Cluster, Redis } from 'ioredis'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Lock, Locker, RedisTimeoutError } from '../../../src/lock.ts'
import { eventually } from '../../support/eventually.ts'
import { startCluster } from '../../support/redis-cluster.ts'
import { startSentinel } from '../../support/redis-sentinel.ts'
import { settled } from './settled.ts'

const COMMAND_TIMEOUT = 500
const BOUND = COMMAND_TIMEOUT + 300
const KEY = 'failover'

function lockerOf(client: Redis | Cluster): Locker {
  client.on('error', () => {})
  const locker = new Locker({ clients: client, commandTimeout: COMMAND_TIMEOUT })
  onTestFinished(async () => {
    await locker.close()
    client.disconnect()
  })
  return locker
}

/** No attempt may take longer than its deadline; in the end each locker must succeed, and waiting must work again. */
async function recover(...lockers: [Locker, Locker]): Promise<void> {
  for (const locker of lockers) {
    const attempt = async (): Promise<Lock | undefined> => {
      const { value, took } = await settled(locker.tryAcquire(`{${KEY}}:again`, 60_000))
      expect(took).toBeLessThan(BOUND)
      return value
    }
    await (await eventually('the lock can be had again', attempt, { within: 20_000 })).release()
  }
  const [locker, other] = lockers
  const lock = await locker.acquire(`{${KEY}}:again`, 60_000)
  const waiter = other.acquire(`{${KEY}}:again`, 60_000)
  await lock.release()
  await (await waiter).release()
}

describe('Sentinel', () => {
  it('fails over: operations end in time, and locks and waiting work on the new master', async () => {
    const sentinels = await startSentinel()
    onTestFinished(() => sentinels.stop())
    const connect = (): Redis => new Redis({ sentinels: sentinels.addresses, name: sentinels.name })
    const [locker, other] = [lockerOf(connect()), lockerOf(connect())]
    const lock = await locker.acquire(KEY, 60_000)
    const waiter = settled(other.acquire(KEY, 60_000, { signal: AbortSignal.timeout(12_000) }))
    const master = await sentinels.master()
    await master.kill()
    expect((await settled(lock.extend(1000))).took).toBeLessThan(BOUND)
    await eventually('there is another master', async () => (await sentinels.master()).port !== master.port)
    await recover(locker, other)
    await eventually('the lock is released', () =>
      settled(lock.release()).then(({ error }) => !(error instanceof RedisTimeoutError)),
    )
    const { value } = await waiter // or the error of the instance that went away
    await value?.release()
  })
})

describe('Cluster', () => {
  it.each(['killed', 'frozen'])(
    'a master is %s: operations end in time, and work on its successor',
    async (fate) => {
      const cluster = await startCluster()
      onTestFinished(() => cluster.stop())
      const connect = (): Cluster => new Cluster(cluster.addresses, { slotsRefreshInterval: 1000 })
      const [locker, other] = [lockerOf(connect()), lockerOf(connect())]
      const lock = await locker.acquire(KEY, 60_000)
      const master = await cluster.masterOf(KEY)
      if (fate === 'killed') await master.kill()
      else master.pause()
      expect((await settled(lock.extend(1000))).took).toBeLessThan(BOUND)
      expect((await settled(locker.acquire(KEY, 1000, { signal: AbortSignal.timeout(100) }))).took).toBeLessThan(BOUND)
      await recover(locker, other)
      if (fate === 'frozen') master.resume()
    },
    40_000,
  )

  it('a slot moves: locks taken before, during and after are held, waited for and released', async () => {
    const cluster = await startCluster()
    onTestFinished(() => cluster.stop())
    const connect = (): Cluster => new Cluster(cluster.addresses)
    const [locker, other] = [lockerOf(connect()), lockerOf(connect())]
    const source = await cluster.masterOf(KEY)
    const target = (await cluster.masters()).find(({ port }) => port !== source.port)
    if (target === undefined) throw new Error('one master only')
    const idOf = async (node: typeof source): Promise<string> => String(await node.command('CLUSTER', 'MYID'))
    const slot = String(await source.command('CLUSTER', 'KEYSLOT', KEY))

    const lock = await locker.acquire(KEY, 60_000)
    const waiter = other.acquire(KEY, 60_000)
    const keysInSlot = async (): Promise<unknown[]> =>
      (await source.command('CLUSTER', 'GETKEYSINSLOT', slot, '10')) as unknown[]
    await eventually('it waits', async () => (await keysInSlot()).length === 2)

    await target.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await idOf(source))
    await source.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await idOf(target))
    expect(await lock.ttl()).toBeGreaterThan(0)
    const released = lock.release() // perhaps answered TRYAGAIN until the move is over
    for (const key of await keysInSlot()) {
      await source.command('MIGRATE', target.host, String(target.port), String(key), '0', '5000').catch(() => {})
    }
    for (const node of [target, source]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', await idOf(target))
    await released
    await (await waiter).release()
    expect(await target.command('EXISTS', KEY)).toBe(0)
    await recover(locker, other)
  })
})
