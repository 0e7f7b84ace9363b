import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Locker, LockNotAcquiredError, LockNotHeldError } from '../../../dist/index.js'

export function lockPromises(clients) {
  return { ...withClient('ioredis', clients), ...withClient('node-redis', clients) }
}

function withClient(kind, clients) {
  const key = (name) => `smoke:${process.pid}:${kind}:${name}`
  /** Two lockers that know nothing of each other but this Redis, as two processes do. */
  const two = async (work) => {
    const lockers = [new Locker({ clients: clients[kind] }), new Locker({ clients: clients[kind] })]
    try {
      await work(...lockers)
    } finally {
      await Promise.all(lockers.map((locker) => locker.close()))
    }
  }
  const promises = {
    'a lock keeps others out until it is released': () =>
      two(async (one, other) => {
        const lock = await one.tryAcquire(key('out'), 10_000)
        await assert.rejects(other.tryAcquire(key('out'), 10_000), LockNotAcquiredError)
        await lock.release()
        await (await other.tryAcquire(key('out'), 10_000)).release()
      }),
    'a release wakes who waits': () =>
      two(async (one, other) => {
        const lock = await one.acquire(key('wake'), 10_000)
        const woken = other.acquire(key('wake'), 10_000)
        await other.tryAcquire(key('wake'), 10_000).catch(() => {}) // by then the other one waits
        await lock.release()
        await (await woken).release()
      }),
    'withLock runs one at a time': () =>
      two(async (one, other) => {
        let inside = 0
        const turns = [one, other, one, other].map((locker) =>
          locker.withLock(key('turns'), 10_000, async () => {
            assert.equal(++inside, 1)
            await clients.ioredis.ping()
            inside--
          }),
        )
        await Promise.all(turns)
      }),
    'a lock is extended, and fencing numbers grow': () =>
      two(async (one, other) => {
        const first = await one.tryAcquire(key('fence'), 10_000, { fencing: true })
        await first.extend(60_000)
        assert((await first.ttl()) > 20_000)
        await first.release()
        const second = await other.tryAcquire(key('fence'), 10_000, { fencing: true })
        assert(second.fencingToken > first.fencingToken)
        await second.release()
      }),
    'the loss of a lock aborts its signal': () =>
      two(async (one) => {
        const lock = await one.tryAcquire(key('lost'), 1500, { autoExtend: true })
        const lost = once(lock.signal, 'abort')
        await clients.ioredis.del(key('lost'))
        await lost
        await assert.rejects(lock.release(), LockNotHeldError)
      }),
    'who waits can leave': () =>
      two(async (one, other) => {
        const lock = await one.acquire(key('leave'), 10_000)
        const waiting = other.acquire(key('leave'), 10_000, { signal: AbortSignal.timeout(50) })
        await assert.rejects(waiting, { name: 'TimeoutError' })
        await lock.release()
      }),
  }
  return Object.fromEntries(Object.entries(promises).map(([name, keep]) => [`${kind}: ${name}`, keep]))
}
