import { setTimeout as delay } from 'node:timers/promises'
import { Locker } from 'herdlock/lock'
import { Redis } from 'ioredis'

const LOCKERS = 5
const KEY = 'yielding'
/** ms between two tries of a program that only polls. */
const POLL = 50

export interface Yielding {
  /** Hand-overs a second while somebody always waits, and nobody polls. */
  handOvers: number
  /** Commands to Redis for each of them. */
  commands: number
  /** ms that a program which only polls waits for the lock; Infinity: it did not get it. */
  foreignWait: number
}

/** What it costs to leave a lock free for others now and then, and what these have of it. */
export async function measureYielding(url: string, yieldAfter: number, seconds: number): Promise<Yielding> {
  const clients = Array.from({ length: LOCKERS }, () => new Redis(url))
  const lockers = clients.map((client) => new Locker({ clients: client, yieldAfter }))
  let rounds = 0
  let isOver = false
  const loops = lockers.flatMap((locker) => [locker, locker]).map((locker) => goRound(locker))
  async function goRound(locker: Locker): Promise<void> {
    while (!isOver) {
      await locker.withLock(KEY, 5000, () => {})
      rounds++
    }
  }
  const monitor = new Redis(url)
  await delay(500) // all wait
  const before = { rounds, commands: await commandsOf(monitor) }
  await delay(seconds * 1000)
  const after = { rounds, commands: await commandsOf(monitor) }
  const foreignWait = await poll(monitor, seconds * 1000)
  isOver = true
  await Promise.all(loops)
  for (const locker of lockers) await locker.close()
  for (const client of [...clients, monitor]) client.disconnect()
  const handOvers = after.rounds - before.rounds
  return { handOvers: handOvers / seconds, commands: (after.commands - before.commands) / handOvers, foreignWait }
}

/** Scripts that Redis has run: what is called within them counts among its commands, too. */
async function commandsOf(redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats')
  return [...stats.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)].reduce((sum, [, calls]) => sum + Number(calls), 0)
}

async function poll(redis: Redis, patience: number): Promise<number> {
  const start = performance.now()
  while (performance.now() - start < patience) {
    if ((await redis.set(KEY, 'foreign', 'PX', 1, 'NX')) === 'OK') return performance.now() - start
    await delay(POLL)
  }
  return Infinity
}
