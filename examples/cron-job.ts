// How do I run a scheduled job in one process only, although every process has the schedule?
//
// Look at: `runJob`: the lock keeps the others out, the tick keeps a late one from doing it again, and the fencing token
//          keeps one that was overtaken (paused, say, for longer than its lock) from overwriting newer work.
// Run:     REDIS_URL=redis://localhost:6379 npm run example examples/cron-job.ts
import cluster from 'node:cluster'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { type Lock, Locker, LockNotAcquiredError } from 'herdlock/lock'
import { Redis } from 'ioredis'

const redis = new Redis(process.env['REDIS_URL'] ?? 'redis://localhost:6379')
const KEY = 'example:nightly-report'

/** Stores the report unless a holder with a higher token has. In SQL: `UPDATE … WHERE fence <= $1`. */
const STORE = `
  if tonumber(ARGV[1]) < tonumber(redis.call('HGET', KEYS[1], 'fence') or 0) then return 0 end
  redis.call('HSET', KEYS[1], 'fence', ARGV[1], 'tick', ARGV[2], 'text', ARGV[3])
  return 1`

async function store({ fencingToken = 0 }: Pick<Lock, 'fencingToken'>, tick: string, text: string): Promise<boolean> {
  return (await redis.eval(STORE, 1, KEY, fencingToken, tick, text)) === 1
}

async function makeReport(signal: AbortSignal): Promise<string> {
  await redis.incr(`${KEY}:runs`) // for this example to count
  await delay(1_500, undefined, { signal }) // longer than the lock's own 500 ms
  return 'all is well'
}

async function runJob(locker: Locker, tick: string): Promise<string> {
  // A short ttl, so that a crash is noticed soon; extended for as long as this process lives.
  const lock = await locker.tryAcquire(`${KEY}:lock`, 500, { autoExtend: true, fencing: true })
  try {
    if ((await redis.hget(KEY, 'tick')) === tick) return 'was done already'
    const text = await makeReport(lock.signal) // aborts should the lock be lost
    return (await store(lock, tick, text)) ? 'done' : 'overtaken'
  } finally {
    await lock.release()
  }
}

async function onSchedule(tick: string): Promise<void> {
  const locker = new Locker({ clients: redis })
  try {
    console.log(await runJob(locker, tick))
  } catch (error) {
    if (!(error instanceof LockNotAcquiredError)) throw error
    console.log('another process does it')
  } finally {
    await locker.close()
  }
}

if (cluster.isWorker) {
  await onSchedule(process.env['TICK'] as string)
  await redis.quit()
  cluster.worker?.disconnect()
} else {
  const TICK = new Date().toISOString().slice(0, 10)
  const runProcess = () => once(cluster.fork({ TICK }), 'exit')
  await Promise.all([runProcess(), runProcess()]) // both at the same time
  await runProcess() // one whose clock is late
  console.log(`three processes, runs: ${await redis.get(`${KEY}:runs`)}, stored: ${await redis.hget(KEY, 'text')}`)
  console.log(`one that was overtaken may store: ${await store({ fencingToken: 1 }, TICK, 'of yesterday')}`)

  await redis.unlink(KEY, `${KEY}:runs`)
  await redis.quit()
}
