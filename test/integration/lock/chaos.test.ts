import { expect, it, onTestFinished } from 'vitest'
import { type Library, LIBRARIES } from '../../support/clients-by-library.ts'
import { eventually } from '../../support/eventually.ts'
import { FakeRandom } from '../../support/fake-random.ts'
import { startRedis } from '../../support/redis-server.ts'
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.ts'
import { startWorkers, type Worker } from '../../support/workers.ts'

const PROCESSES = 4
const KEYS = 2
const DURATION = 7000

interface Holding {
  key: string
  /** On the clock that all processes share; `until` is where it ended, or at the latest ended, to the holder's knowledge. */
  from: number
  until: number
  fencingToken: number | undefined
  process: number
}

interface Member {
  worker: Worker
  proxy: TcpProxy
  /** Resolves when all that it had to tell is in the history. */
  recorded: Promise<void>
}

const sharedNow = (): number => Number(process.hrtime.bigint()) / 1e6

/** CHAOS_SEED runs one seed again, CHAOS_RUNS so many of them. */
const firstSeed = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const seeds = Array.from({ length: Number(process.env['CHAOS_RUNS'] ?? 1) }, (_, index) => firstSeed + index)

it.each(seeds)(
  'processes with different clients that are killed, frozen, cut off and slowed at random never hold one lock at the same time (seed %i)',
  async (seed) => {
    console.log(`lock chaos: seed ${seed} (CHAOS_SEED=${seed} runs it again)`)
    const random = new FakeRandom(seed)
    const server = await startRedis()
    const history = new Map<string, Holding>()
    const crew = await Promise.all(Array.from({ length: PROCESSES }, (_, index) => enlist(index)))
    onTestFinished(async () => {
      await Promise.all(crew.map(({ worker }) => worker.kill()))
      await Promise.all(crew.map(({ proxy }) => proxy.close()))
      await server.stop()
    })

    async function enlist(index: number): Promise<Member> {
      const proxy = await startProxy(server)
      return { proxy, ...(await start(index, proxy)) }
    }
    async function start(index: number, proxy: TcpProxy): Promise<Omit<Member, 'proxy'>> {
      const library = LIBRARIES[index % LIBRARIES.length] as Library
      const numbers = [proxy.port, Math.floor(random.uniform() * 2 ** 31), KEYS]
      const [worker] = (await startWorkers('lock-chaos', 1, [library, ...numbers.map(String)])) as [Worker]
      return { worker, recorded: record(index, worker) }
    }
    /** One type of message, one loop: the end of a holding must not overtake its beginning. */
    async function record(index: number, worker: Worker): Promise<void> {
      try {
        for (;;) {
          const told = (await worker.next('holding')) as unknown as Partial<Holding> & { id: string }
          const known = history.get(told.id)
          if (known === undefined) history.set(told.id, { ...(told as Holding), process: index })
          else Object.assign(known, told)
        }
      } catch {} // it has gone
    }

    const faults: ((index: number) => Promise<void>)[] = [
      async (index) => {
        const { worker, proxy, recorded } = crew[index] as Member
        await worker.kill()
        const killedAt = sharedNow()
        await recorded // what it has told before
        for (const holding of history.values())
          if (holding.process === index) holding.until = Math.min(holding.until, killedAt)
        crew[index] = { proxy, ...(await start(index, proxy)) }
      },
      async (index) => {
        crew[index]?.worker.pause()
        await pass(50, 900)
        crew[index]?.worker.resume()
      },
      async (index) => {
        crew[index]?.proxy.pause()
        await pass(20, 700)
        crew[index]?.proxy.resume()
      },
      async (index) => {
        crew[index]?.proxy.delay(random.uniform() * 100)
        await pass(50, 500)
        crew[index]?.proxy.delay(0)
      },
      async (index) => crew[index]?.proxy.reset(),
      async (index) => {
        const lost = crew[index]?.proxy.loseReplies(1)
        await Promise.race([lost, pass(100, 200)])
      },
      async () => void (await server.command('SCRIPT', 'FLUSH')),
      async () => void (await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')),
    ]
    const pass = (least: number, most: number): Promise<void> =>
      new Promise((resolve) => setTimeout(resolve, least + random.uniform() * (most - least)))

    const end = performance.now() + DURATION
    while (performance.now() < end) {
      await pass(20, 150)
      const fault = faults[Math.floor(random.uniform() * faults.length)]
      await fault?.(Math.floor(random.uniform() * PROCESSES))
    }

    // Every waiter ends, and nothing of theirs stays in Redis but the fencing numbers.
    for (const { worker } of crew) worker.send({ type: 'stop' })
    await Promise.all(crew.map(({ worker }) => worker.next('stopped')))
    await eventually('nothing is left', async () => {
      const keys = (await server.command('KEYS', '*')) as unknown[]
      return keys.every((key) => String(key).startsWith('herdlock:fence:'))
    })

    console.log(`lock chaos: ${history.size} holdings`)
    expect(history.size).toBeGreaterThan(50)
    for (let index = 0; index < KEYS; index++) {
      const holdings = [...history.values()]
        .filter(({ key, from, until }) => key === `chaos:${index}` && from < until) // a process may have been stopped meanwhile
        .toSorted((a, b) => a.from - b.from)
      const overlaps = holdings
        .map((holding, at) => ({ holding, next: holdings[at + 1] }))
        .filter(({ holding, next }) => next !== undefined && next.from < holding.until)
      expect(overlaps, `seed ${seed}`).toEqual([])
      const numbers = holdings.flatMap(({ fencingToken }) => fencingToken ?? [])
      expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
    }
  },
  60_000,
)
