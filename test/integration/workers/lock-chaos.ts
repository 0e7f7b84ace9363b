import type { HeldLock } from '../../../src/lock/held-lock.ts'
import { Locker } from '../../../src/lock.ts'
import { connectClient, type Library } from '../../support/clients-by-library.ts'
import { FakeRandom } from '../../support/fake-random.ts'
import { parent, ready } from '../../support/worker-side.ts'

/**
 * A process whose callers take locks at random, and report when they believed to hold them, on the monotonic clock that
 * all processes of a machine share. Arguments: the library of its client, the port of its proxy, a seed, and the number
 * of keys.
 */
const [library, ...numbers] = process.argv.slice(2)
const [port = 0, seed = 0, keys = 0] = numbers.map(Number)
const CALLERS = 4
/** ms that a caller waits at most for a lock. */
const PATIENCE = 2000

const random = new FakeRandom(seed)
const client = await connectClient(library as Library, { host: '127.0.0.1', port })
const locker = new Locker({ clients: client, commandTimeout: 400 })
let stopping = false

const sharedNow = (): number => Number(process.hrtime.bigint()) / 1e6
/** From this process's clock to that of all: the largest of many readings, for what comes between the two can only lessen it. */
const offset = Math.max(...Array.from({ length: 1000 }, () => sharedNow() - performance.now()))
const between = (least: number, most: number): number => Math.floor(least + random.uniform() * (most - least))
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function loop(): Promise<void> {
  while (!stopping) {
    await pause(between(0, 20))
    await takeOne().catch((error: unknown) => parent.send({ type: 'gaveUp', error: String(error) }))
  }
}

async function takeOne(): Promise<void> {
  const key = `chaos:${between(0, keys)}`
  const ttl = between(60, 500)
  const options = {
    fencing: random.uniform() < 0.5,
    autoExtend: random.uniform() < 0.3,
    signal: AbortSignal.timeout(random.uniform() < 0.2 ? between(1, 50) : PATIENCE),
  }
  const lock = (await locker.acquire(key, ttl, options)) as HeldLock
  const id = lock.token
  let lostAt = Infinity
  lock.signal.addEventListener('abort', () => (lostAt = sharedNow()))
  let reported = lock.validUntil
  const { fencingToken } = lock
  parent.send({ type: 'holding', id, key, from: sharedNow(), until: reported + offset, fencingToken })
  /** Whenever the lock knows that it ends earlier, others may have it earlier. Only what is done to it can shorten it. */
  const report = (): void => {
    if (lock.validUntil === reported) return
    reported = lock.validUntil
    parent.send({ type: 'holding', id, until: reported + offset })
  }
  await pause(between(0, random.uniform() < 0.2 ? ttl * 1.5 : 20))
  if (random.uniform() < 0.3) {
    const extensions = [lock.extend(between(60, 500))]
    if (random.uniform() < 0.3) extensions.push(lock.extend(between(60, 500)))
    report()
    await Promise.allSettled(extensions)
    report()
  }
  // It believed to hold the lock until it began to release it, or knew that it had lost it, or should have known.
  parent.send({ type: 'holding', id, until: Math.min(sharedNow(), lostAt, lock.validUntil + offset) })
  await lock.release()
}

ready()
const loops = Array.from({ length: CALLERS }, loop)
await parent.next('stop')
stopping = true
await Promise.all(loops)
parent.send({ type: 'stopped' })
