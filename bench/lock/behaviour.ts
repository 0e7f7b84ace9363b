import { setTimeout as delay } from 'node:timers/promises'
import { startRedis } from '../../test/support/redis-server.ts'
import type { Connected, Contender } from './contender.ts'

const PATIENCE = 5000
const WAITERS = 10

export interface Behaviour {
  /** Of ten waiters who came one after another: how many got the lock in their turn. */
  inOrder: number
  /** ms beyond its ttl of 1000 ms after which the lock of a holder that never releases it was had by a waiter. */
  afterCrash: number
  /** ms after which an acquisition on a frozen Redis ended, with the client's default options; Infinity: not within 5 s. */
  onFrozenRedis: number
}

/** How one contender behaves where behaviour, not speed, is the question. */
export async function observe(contender: Contender, url: string): Promise<Behaviour> {
  return {
    inOrder: await order(contender, url),
    afterCrash: await crash(contender, url),
    onFrozenRedis: await freeze(contender),
  }
}

async function order(contender: Contender, url: string): Promise<number> {
  const connections = await Promise.all(Array.from({ length: WAITERS + 1 }, () => contender.connect(url)))
  const [holder, ...waiters] = connections
  const release = await holder?.acquire('order', 60_000)
  const served: number[] = []
  const turns: Promise<void>[] = []
  for (const [index, waiter] of waiters.entries()) {
    turns.push(takeTurn(waiter, () => served.push(index)))
    await delay(50)
  }
  await release?.()
  await Promise.all(turns)
  for (const connection of connections) await connection.close()
  return served.filter((index, place) => index === place).length
}

async function takeTurn(waiter: Connected, onTurn: () => void): Promise<void> {
  const release = await waiter.acquire('order', 60_000)
  onTurn()
  await delay(5)
  await release()
}

async function crash(contender: Contender, url: string): Promise<number> {
  const [dead, waiter] = await Promise.all([contender.connect(url), contender.connect(url)])
  const start = performance.now()
  await dead.acquire('crash', 1000)
  const release = await waiter.acquire('crash', 1000)
  const took = performance.now() - start
  await release()
  await dead.close()
  await waiter.close()
  return took - 1000
}

async function freeze(contender: Contender): Promise<number> {
  const server = await startRedis()
  const connection = await contender.connect(server.url)
  await (
    await connection.acquire('warm', 1000)
  )()
  server.pause()
  const start = performance.now()
  const ended = connection.acquire('frozen', 1000).then(
    () => performance.now() - start,
    () => performance.now() - start,
  )
  const took = await Promise.race([ended, delay(PATIENCE, Infinity, { ref: false })])
  await Promise.race([connection.close(), delay(100)])
  await server.stop()
  return took
}
