import { Redis } from 'ioredis'
import { Locker } from '../../../src/lock.ts'
import { parent, ready } from '../../support/worker-side.ts'

/**
 * A process under load that takes one lock again and again, over the instances that it is told to use, and counts the
 * holders in a Redis of its own. Arguments: the URL of that Redis, the key.
 */
const [countersUrl, key] = process.argv.slice(2) as [string, string]
const CALLERS = 3

const counters = new Redis(countersUrl)
let locker: Locker | undefined
let stopping = false
let rounds = 0
let mostHolders = 0
/** Rounds under way, one promise a caller. */
const underWay = new Set<Promise<void>>()
const errors: string[] = []

async function loop(): Promise<void> {
  while (!stopping) {
    const round = goRound(locker as Locker)
    underWay.add(round)
    await round
    underWay.delete(round)
  }
}

async function goRound(locker: Locker): Promise<void> {
  try {
    const lock = await locker.acquire(key, 5000, { signal: AbortSignal.timeout(5000) })
    mostHolders = Math.max(mostHolders, await counters.incr('holders'))
    await counters.decr('holders')
    await lock.release()
    rounds++
  } catch (error) {
    errors.push(String(error))
  }
}

let loops: Promise<void>[] = []
ready()
for (;;) {
  const { urls } = (await parent.next('use')) as unknown as { urls: string[] }
  if (urls.length === 0) break
  const next = new Locker({ clients: urls.map((url) => new Redis(url)) })
  await next.prepare()
  const before = [...underWay]
  locker = next // what is under way ends with the instances it began with
  if (loops.length === 0) loops = Array.from({ length: CALLERS }, loop)
  rounds = 0
  await Promise.all(before)
  parent.send({ type: 'uses' })
}
stopping = true
await Promise.all(loops)
parent.send({ type: 'result', rounds, mostHolders, errors })
