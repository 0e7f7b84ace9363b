// How do I hold a lock that all processes respect?
//
// Look at: the four ways: one attempt, waiting with a limit, a lock that is kept and watched, and fencing numbers.
// Run:     REDIS_URL=redis://localhost:6379 npm run example examples/locker.ts
import { setTimeout as delay } from 'node:timers/promises'
import { Locker, LockNotAcquiredError } from 'herdlock/lock'
import { Redis } from 'ioredis'

const redis = new Redis(process.env['REDIS_URL'] ?? 'redis://localhost:6379')
const locker = new Locker({ clients: redis })
await locker.prepare()
const key = `example:report:${process.pid}`

// One attempt: whoever comes second goes on to something else.
const lock = await locker.tryAcquire(key, 10_000)
try {
  await locker.tryAcquire(key, 10_000)
} catch (error) {
  if (!(error instanceof LockNotAcquiredError)) throw error
  console.log('held elsewhere')
}

// Waiting: always with a limit. The waiter is woken by the release, not by polling.
const startedAt = performance.now()
const waiting = locker.acquire(key, 10_000, { signal: AbortSignal.timeout(5_000) })
await delay(100)
await lock.release()
const next = await waiting
console.log('woken at the release:', performance.now() - startedAt < 1_000)
await next.release()

// Kept for as long as the work takes, and watched: the signal aborts when the lock is lost.
const result = await locker.withLock(
  key,
  1_000,
  async ({ signal }) => {
    await delay(1_500, undefined, { signal })
    return 'done in 1500 ms under a lock of 1000 ms'
  },
  { autoExtend: true, signal: AbortSignal.timeout(5_000) },
)
console.log(result)

// Fencing numbers grow from holder to holder: storage that remembers the highest can refuse those overtaken.
const numbers: (number | undefined)[] = []
for (let round = 0; round < 2; round++) {
  const fenced = await locker.tryAcquire(key, 10_000, { fencing: true })
  numbers.push(fenced.fencingToken)
  await fenced.release()
}
const [first = 0, second = 0] = numbers
console.log('the second holder has the higher number:', second > first)

await locker.close()
await redis.quit()
console.log('closed')
