import { getEventListeners } from 'node:events'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { Locker } from '../../../src/lock.ts'
import { eventually } from '../../support/eventually.ts'
import { connectedClients, expectNoLeaks, snapshotResources } from '../../support/leaks.ts'
import { type RedisServer, startRedis } from '../../support/redis-server.ts'

let server: RedisServer
beforeAll(async () => void (server = await startRedis()))
afterAll(() => server.stop())

const queued = async (key: string): Promise<number> =>
  Number(await server.command('ZCARD', `herdlock:queue:{${key}}:${key}`))

it('close ends what the locker began, and only that', async () => {
  const client = new Redis(server.port)
  await client.ping()
  const [own] = await connectedClients(server)
  const before = snapshotResources()

  const locker = new Locker({ clients: client })
  const kept = await locker.acquire('closed', 60_000, { autoExtend: true })
  const { signal } = await locker.acquire('watched', 60_000)
  const waiters = Promise.allSettled(Array.from({ length: 20 }, () => locker.acquire('closed', 60_000)))
  await eventually('they wait', async () => (await queued('closed')) === 20)
  expect(await connectedClients(server)).toHaveLength(2)

  await locker.close()
  expect((await waiters).every(({ status }) => status === 'rejected')).toBe(true)
  expect(kept.signal.aborted).toBe(true)
  expect(signal.aborted).toBe(true)
  await expectNoLeaks(before)
  await eventually('the inbox is gone', async () => (await connectedClients(server)).length === 1)
  expect((await connectedClients(server))[0]).toMatchObject({ id: own?.id })
  expect(await client.ping()).toBe('PONG')
  await locker.close()
  client.disconnect()
})

it('no listener stays on the client, however many locks were taken and waited for', async () => {
  const client = new Redis(server.port)
  const locker = new Locker({ clients: client })
  onTestFinished(async () => {
    await locker.close()
    client.disconnect()
  })
  const listeners = (): number => client.eventNames().reduce((sum, name) => sum + client.listenerCount(name), 0)
  await (await locker.acquire('listeners', 1000)).release()
  const before = listeners()
  await Promise.all(
    Array.from({ length: 200 }, async () => {
      const lock = await locker.acquire('listeners', 5000, { signal: AbortSignal.timeout(10_000) })
      expect(lock.signal.aborted).toBe(false)
      await lock.release()
    }),
  )
  expect(listeners()).toBe(before)
})

it('five thousand callers with one signal all settle, without a warning', async () => {
  const warnings: Error[] = []
  const listener = (warning: Error): unknown => warnings.push(warning)
  process.on('warning', listener)
  const client = new Redis(server.port)
  const locker = new Locker({ clients: client, commandTimeout: 5000 })
  onTestFinished(async () => {
    process.off('warning', listener)
    await locker.close()
    client.disconnect()
  })
  const held = await locker.acquire('crowd', 60_000)
  const controller = new AbortController()
  const crowd = Promise.allSettled(
    Array.from({ length: 5000 }, () => locker.acquire('crowd', 60_000, { signal: controller.signal })),
  )
  await eventually('they wait', async () => (await queued('crowd')) === 5000)
  controller.abort('enough')
  const outcomes = await crowd
  expect(outcomes.every((outcome) => outcome.status === 'rejected' && outcome.reason === 'enough')).toBe(true)
  await eventually('the queue is empty', async () => (await queued('crowd')) === 0)
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  expect(warnings).toEqual([])
  await held.release()
})

it('a thousand locks extend themselves, and all are released', async () => {
  const client = new Redis(server.port)
  const locker = new Locker({ clients: client, commandTimeout: 5000 })
  onTestFinished(async () => {
    await locker.close()
    client.disconnect()
  })
  const keys = Array.from({ length: 1000 }, (_, index) => `many:${index}`)
  const locks = await Promise.all(keys.map((key) => locker.acquire(key, 1500, { autoExtend: true })))
  const startedAt = performance.now()
  await eventually('two ttls have gone by', () => performance.now() - startedAt > 3000)
  expect(locks.filter(({ signal }) => signal.aborted)).toEqual([])
  await Promise.all(locks.map((lock) => lock.release()))
  expect(await server.command('EXISTS', ...keys)).toBe(0)
})
