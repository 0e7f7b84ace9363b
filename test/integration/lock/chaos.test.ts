import { expect, it, onTestFinished } from 'vitest'
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

const sharedNow = (): number => Number(process.hrtime.bigint()) / 1e6

it('processes that are killed, frozen, cut off and slowed at random never hold one lock at the same time', async () => {
  const seed = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
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

  async function enlist(index: number): Promise<{ worker: Worker; proxy: TcpProxy }> {
    const proxy = await startProxy(server)
    return { proxy, worker: await start(index, proxy) }
  }
  async function start(index: number, proxy: TcpProxy): Promise<Worker> {
    const args = [proxy.port, Math.floor(random.uniform() * 2 ** 31), KEYS].map(String)
    const [worker] = (await startWorkers('lock-chaos', 1, args)) as [Worker]
    void record(index, worker)
    return worker
  }
  async function record(index: number, worker: Worker): Promise<void> {
    const held = async (): Promise<void> => {
      for (;;) {
        const message = await worker.next('held')
        history.set(String(message['id']), { ...(message as unknown as Holding), process: index })
      }
    }
    const ended = async (): Promise<void> => {
      for (;;) {
        const { id, at } = await worker.next('ended')
        const holding = history.get(String(id))
        if (holding !== undefined) holding.until = at as number
      }
    }
    await Promise.allSettled([held(), ended()])
  }

  const faults: ((index: number) => Promise<void>)[] = [
    async (index) => {
      const { worker, proxy } = crew[index] as (typeof crew)[number]
      await worker.kill()
      const killedAt = sharedNow()
      for (const holding of history.values())
        if (holding.process === index) holding.until = Math.min(holding.until, killedAt)
      crew[index] = { proxy, worker: await start(index, proxy) }
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
  expect(history.size).toBeGreaterThan(100)
  for (let index = 0; index < KEYS; index++) {
    const holdings = [...history.values()]
      .filter(({ key }) => key === `chaos:${index}`)
      .toSorted((a, b) => a.from - b.from)
    const overlaps = holdings.filter((holding, at) => (holdings[at + 1]?.from ?? Infinity) < holding.until)
    expect(overlaps, `seed ${seed}`).toEqual([])
    const numbers = holdings.flatMap(({ fencingToken }) => fencingToken ?? [])
    expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
  }
}, 60_000)
