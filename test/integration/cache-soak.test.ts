import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SoakFootprint, SoakReport, SoakSetup } from '../support/cache-soak.ts'
import { eventually } from '../support/eventually.ts'
import { FakeRandom } from '../support/fake-random.ts'
import { connectedClients } from '../support/leaks.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { startWorkers, stopWorkers, type Worker } from '../support/workers.ts'

const SECONDS = Number(process.env['SOAK_SECONDS'] ?? 60)
const SEED = Number(process.env['SOAK_SEED'] ?? Date.now() % 2 ** 31)
const PROCESSES = 3
/** ms between two looks at what processes hold, and without a fault before each. */
const COMPARE_EVERY = 15_000
const QUIET = 1000
/** What may differ by chance: how much is under way at the moment of each look. */
const HEAP_MAY_GROW = 6 * 1024 * 1024
const LISTENERS_MAY_GROW = 40
/** Timers above all: of loads and waits that are under way. One left by each load would be thousands. */
const HANDLES_MAY_GROW = 300
/** One that is closing beside each that has taken its place. */
const SOCKETS_MAY_GROW = 4
const KEYS = 20
const TTL = 500
const OPTIONS = { ttl: TTL, staleIfError: 5000, lockTtl: 800, commandTimeout: 300 }
/** ms that Redis is frozen at most. */
const LONGEST_FREEZE = 700
/** From then on every process must have heard of a change: a freeze, a reconnection (1 s at most), and time to run. */
const GRACE = 3000

let redis: RedisServer
let origin: RedisServer
let proxy: TcpProxy
const workers: Worker[] = []
beforeAll(async () => {
  ;[redis, origin] = await Promise.all([startRedis(), startRedis()])
  proxy = await startProxy(redis)
})
afterAll(async () => {
  await stopWorkers(workers)
  await proxy.close()
  await Promise.all([redis.stop(), origin.stop()])
})

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test(
  `${PROCESSES} processes, random calls and changes, random faults`,
  async () => {
    console.log(`soak: seed ${SEED}, ${SECONDS} s`)
    const random = new FakeRandom(SEED)
    const prefix = 'soak'
    let seeds = SEED
    const start = async (index: number): Promise<Worker> => {
      const setup: SoakSetup = {
        seed: seeds++,
        index,
        processes: PROCESSES,
        url: `redis://127.0.0.1:${proxy.port}`,
        originUrl: origin.url,
        prefix,
        keys: KEYS,
        callers: 8,
        options: OPTIONS,
        grace: GRACE,
      }
      const [worker] = await startWorkers('cache-soak', 1, [JSON.stringify(setup)])
      return worker as Worker
    }
    workers.push(...(await Promise.all(Array.from({ length: PROCESSES }, (_, index) => start(index)))))

    const counts = { freeze: 0, reset: 0, flush: 0, 'script flush': 0, deaf: 0, kill: 0 }
    const faults: Record<keyof typeof counts, () => Promise<unknown>> = {
      async freeze() {
        redis.pause()
        await after(100 + random.uniform() * (LONGEST_FREEZE - 100))
        redis.resume()
      },
      reset: async () => proxy.reset(),
      flush: () => redis.command('FLUSHALL'),
      'script flush': () => redis.command('SCRIPT', 'FLUSH'),
      deaf: () => redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub'),
      async kill() {
        const index = Math.floor(random.uniform() * workers.length)
        await workers[index]?.kill()
        workers[index] = await start(index)
      },
    }
    /** Of those that run now, by process: in a quiet moment, as what is under way counts as well. */
    async function footprints(): Promise<Map<number, SoakFootprint>> {
      await after(QUIET)
      const taken = workers.map(async (worker) => {
        worker.send({ type: 'footprint' })
        return (await worker.next('footprint'))['footprint'] as SoakFootprint
      })
      return new Map((await Promise.all(taken)).map((footprint) => [footprint.pid, footprint]))
    }
    /** The first of each process that has warmed up, and the last. */
    const first = new Map<number, SoakFootprint>()
    const last = new Map<number, SoakFootprint>()
    async function compare(): Promise<void> {
      for (const [pid, footprint] of await footprints()) {
        if (first.has(pid)) last.set(pid, footprint)
        else first.set(pid, footprint)
      }
    }

    const names = Object.keys(faults) as (keyof typeof counts)[]
    const startedAt = performance.now()
    let comparedAt = startedAt
    while (performance.now() - startedAt < SECONDS * 1000) {
      const name = names[Math.floor(random.uniform() * names.length)] as keyof typeof counts
      counts[name]++
      await faults[name]()
      await after(300 + random.uniform() * 600)
      if (performance.now() - comparedAt < COMPARE_EVERY) continue
      await compare()
      comparedAt = performance.now()
    }
    await compare()
    const seconds = (performance.now() - startedAt) / 1000

    for (const worker of workers) worker.send({ type: 'stop' })
    const reports = await Promise.all(
      workers.map(async (worker) => (await worker.next('report'))['report'] as SoakReport),
    )
    const sum = (field: 'calls' | 'changes'): number => reports.reduce((total, report) => total + report[field], 0)
    const loads = Number(await origin.command('GET', 'loads'))
    console.log(`soak: ${JSON.stringify({ calls: sum('calls'), changes: sum('changes'), loads, seconds, ...counts })}`)

    // Every call that was not cut short by its own caller was answered, rightly, and in bounded time.
    expect(reports.flatMap(({ wrong }) => wrong)).toEqual([])
    for (const { slowest } of reports) expect(slowest).toBeLessThan(4000)
    expect(sum('calls')).toBeGreaterThan(seconds * 50)

    // What explains a load: an entry that expired (each key once a ttl), one that was changed (the load that this
    // revokes, and the next), one that was flushed; a lease whose owner was killed; and while Redis is out of reach
    // (a fault, then up to 1 s of the breaker), each process for itself, each key once a ttl.
    const expiries = (KEYS * (seconds + GRACE / 1000) * 1000) / TTL
    const versions = await Promise.all(
      Array.from({ length: KEYS }, async (_, i) => Number((await origin.command('GET', `version:key ${i}`)) ?? 0)),
    )
    const changes = versions.reduce((total, version) => total + version, 0)
    const outages = counts.freeze * (LONGEST_FREEZE + 1300) + (counts.reset + counts.kill) * 1300
    const alone = (PROCESSES * KEYS * outages) / TTL
    const bound = expiries + PROCESSES * changes + KEYS * counts.flush + PROCESSES * KEYS * counts.kill + alone
    expect(loads).toBeLessThan(bound)

    // What a process holds does not grow with the time that it runs and the faults that it lives through.
    expect(last.size).toBeGreaterThan(0)
    for (const [pid, after] of last) {
      const before = first.get(pid) as SoakFootprint
      expect(after.heap - before.heap, 'bytes of heap').toBeLessThan(HEAP_MAY_GROW)
      expect(after.listeners - before.listeners, 'listeners').toBeLessThan(LISTENERS_MAY_GROW)
      for (const [kind, count] of Object.entries(after.handles)) {
        const most = kind === 'TCPSocketWrap' ? SOCKETS_MAY_GROW : HANDLES_MAY_GROW
        expect(count - (before.handles[kind] ?? 0), kind).toBeLessThan(most)
      }
    }

    // Nothing is left: the processes ended by themselves, with all their connections, and gave back every lease.
    for (const worker of workers) expect(await worker.exited).toEqual({ code: 0, signal: null })
    await eventually('all connections are closed', async () => (await connectedClients(redis)).length === 0)
    await eventually('no lease is left', async () => {
      const keys = (await redis.command('KEYS', `${prefix}*`)) as string[]
      return !keys.some((key) => key.endsWith(':lease'))
    })
    for (const key of (await redis.command('KEYS', '*')) as string[]) {
      expect(Number(await redis.command('PTTL', key)), `${key} has an end`).toBeGreaterThan(-1)
    }
  },
  (SECONDS + 60) * 1000,
)
