import { eventually } from '../support/eventually.ts'
import { FakeRandom } from '../support/fake-random.ts'
import { monitor, type Monitored } from '../support/monitored.ts'
import { startRedisPair } from '../support/redis-pair.ts'
import { startRedis } from '../support/redis-server.ts'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { startWallClock } from '../support/wall-clock.ts'
import { startWorkers, type Worker } from '../support/workers.ts'
import type { Bounds } from './bounds.ts'
import { check, type Verdict } from './checker.ts'
import type { Change, Fault, History, Stall } from './history.ts'
import {
  between,
  type ChaosSetup,
  drawClient,
  drawOptions,
  drawStaleness,
  KEYS,
  LONGEST_LOAD,
  PROCESSES,
} from './plan.ts'

export interface ChaosRun {
  readonly seed: number
  readonly seconds: number
  /** How often each fault was done. */
  readonly faults: Readonly<Record<string, number>>
  readonly calls: number
  readonly changes: number
  readonly judged: Verdict['judged']
  /** All that must not be. Nothing, if all is well. */
  readonly wrong: readonly string[]
  /** How the processes were made, to be told with what is wrong. */
  readonly setups: readonly string[]
  readonly history: History
  /** What each master carried out while it was one. The first was empty when it began. */
  readonly carriedOut: readonly (readonly Monitored[])[]
}

const CALLERS = 4
const READERS = 2
/** ms */
const LONGEST_FREEZE = 900
/** ms for which the replica that is promoted has not heard of its master. */
const LONGEST_LAG = 300
const BOUNDS: Bounds = {
  ...{ longestCall: 6000, longestWait: 9000, grace: 15_000, recovery: 4000 },
  longestLoad: LONGEST_LOAD + 500,
}
/** Looked for this often; ms that this process may be late before all count as having stood still: it is the network. */
const LOOK_EVERY = 20
const STALL = 150

type Kind = 'kill' | 'stop' | 'partition' | 'delay' | 'reset' | 'lost reply' | OfAll
type OfAll = 'freeze' | 'flush' | 'script flush' | 'deaf' | 'clock step' | 'failover'
const KINDS: readonly Kind[] = [
  ...(['kill', 'stop', 'partition', 'delay', 'reset', 'lost reply'] as const),
  ...(['freeze', 'flush', 'script flush', 'deaf', 'clock step', 'failover'] as const),
]

interface Member {
  readonly name: string
  readonly worker: Worker
  readonly proxy: TcpProxy
  readonly recorded: Promise<void>
}

const now = (): number => Number(process.hrtime.bigint()) / 1e6

/** Lets processes use caches for so many seconds while what can go wrong does, and judges what they saw. */
export async function chaos({ seed, seconds }: { seed: number; seconds: number }): Promise<ChaosRun> {
  const random = new FakeRandom(seed)
  const [redis, origin, clock] = await Promise.all([startRedisPair(), startRedis(), startWallClock()])
  const monitors = [await monitor(redis.master)]
  const log = new Log()
  const setups: string[] = []
  const counts: Record<string, number> = {}
  const pass = (least: number, most: number): Promise<void> =>
    new Promise((resolve) => setTimeout(resolve, between(random, least, most)))

  const mayBeStale = drawStaleness(random)
  let generation = 0
  async function start(place: number, proxy: TcpProxy): Promise<Member> {
    const name = `process ${place}.${generation++}`
    const setup: ChaosSetup = {
      ...{ name, place, places: PROCESSES, keys: KEYS, callers: CALLERS, readers: READERS },
      ...{ port: proxy.port, originUrl: origin.url },
      ...drawClient(random, place),
      mayBeStale,
      options: drawOptions(random, mayBeStale),
      seed: between(random, 0, 2 ** 31),
    }
    setups.push(`${name}: ${setup.library} ${JSON.stringify(setup.client)} ${JSON.stringify(setup.options)}`)
    const env = place === 0 ? clock.env : {}
    const [worker] = (await startWorkers('cache-chaos', 1, [JSON.stringify(setup)], env)) as [Worker]
    return { name, worker, proxy, recorded: log.record(worker) }
  }

  const crew = await Promise.all(
    Array.from({ length: PROCESSES }, async (_, place) => start(place, await startProxy(redis.address))),
  )
  const stopWatching = log.watchOwnStalls()

  const faults: Record<Kind, (member: Member, place: number) => Promise<unknown>> = {
    async kill({ name, worker, proxy, recorded }, place) {
      await worker.kill()
      log.ended.set(name, now())
      await recorded // what it has told before
      crew[place] = await start(place, proxy)
    },
    async stop({ worker }) {
      worker.pause()
      await pass(50, 2000)
      worker.resume()
    },
    async partition({ proxy }) {
      proxy.pause()
      await pass(50, 2500)
      proxy.resume()
    },
    async delay({ proxy }) {
      proxy.delay(random.uniform() * 100)
      await pass(100, 1000)
      proxy.delay(0)
    },
    reset: async ({ proxy }) => proxy.reset(),
    'lost reply': ({ proxy }) => Promise.race([proxy.loseReplies(1), pass(100, 300)]),
    async freeze() {
      redis.master.pause()
      await pass(50, LONGEST_FREEZE)
      redis.master.resume()
    },
    flush: () => redis.master.command('FLUSHALL'),
    'script flush': () => redis.master.command('SCRIPT', 'FLUSH'),
    deaf: () => redis.master.command('CLIENT', 'KILL', 'TYPE', 'pubsub'),
    async failover() {
      await redis.failOver(async () => {
        await pass(0, LONGEST_LAG)
        monitors.at(-1)?.stop() // while it is a master: later it refuses scripts in the midst of them
      })
      monitors.push(await monitor(redis.master))
      for (const { proxy } of crew) proxy.reset()
    },
    'clock step': () => clock.setAhead(between(random, -7200, 7200)),
  }

  try {
    const startedAt = now()
    const deck: Kind[] = [] // each kind comes once before one comes again
    while (now() - startedAt < seconds * 1000) {
      await pass(200, 1200)
      if (deck.length === 0) deck.push(...KINDS)
      const [kind] = deck.splice(between(random, 0, deck.length), 1) as [Kind]
      const place = between(random, 0, PROCESSES)
      const member = crew[place] as Member
      counts[kind] = (counts[kind] ?? 0) + 1
      const from = now()
      await faults[kind](member, place)
      log.faults.push(faultOf(kind, member.name, from, now()))
    }
    const lasted = (now() - startedAt) / 1000
    const left = await end()
    const history = log.history()
    const { wrong, judged } = check(history, BOUNDS)
    return {
      ...{ seed, seconds: Math.round(lasted), faults: counts, setups, judged, history },
      carriedOut: monitors.map(({ commands }) => commands),
      ...{ calls: history.calls.length, changes: history.changes.length, wrong: [...log.errors, ...left, ...wrong] },
    }
  } finally {
    stopWatching()
    for (const each of monitors) each.stop()
    await Promise.all(crew.map(({ worker }) => worker.kill()))
    await Promise.all(crew.map(({ proxy }) => proxy.close()))
    await Promise.all([redis.stop(), origin.stop(), clock.end()])
  }

  /** Has everybody come to an end; what is left over then. */
  async function end(): Promise<string[]> {
    for (const { worker } of crew) worker.send({ type: 'stop' })
    await Promise.all(crew.map(({ worker }) => worker.next('over')))
    for (const { name } of crew) log.ended.set(name, now())
    const keys = async (): Promise<string[]> => (await redis.master.command('KEYS', '*')) as string[]
    const isLease = (key: string): boolean => key.endsWith(':lease')
    await eventually('no lease is left', async () => !(await keys()).some(isLease), { within: 6000 }).catch(() => {})
    const left: string[] = []
    for (const key of await keys()) {
      if (isLease(key)) left.push(`left: ${key}`)
      else if (Number(await redis.master.command('PTTL', key)) === -1) left.push(`left: ${key}, for good`)
    }
    return left
  }
}

/** What the fault excuses. */
function faultOf(kind: Kind, process: string, from: number, to: number): Fault {
  switch (kind) {
    case 'script flush':
    case 'deaf':
    case 'clock step':
      return { kind, from, to, harms: false }
    case 'failover':
      return { kind, from, to, harms: true, loses: true }
    case 'flush':
      return { kind, from, to, harms: true }
    case 'freeze':
      return { kind, from, to, harms: true, froze: true }
    case 'kill':
      return { kind, process, from, to, harms: true, silenced: true }
    case 'stop':
      return { kind, process, from, to, harms: true, froze: true }
    default:
      return { kind, process, from, to, harms: true }
  }
}

/** What processes tell, as it comes. */
class Log {
  readonly #seen: Record<string, unknown[]> = {}
  readonly #stalls: Stall[] = []
  readonly faults: Fault[] = []
  /** When each process had ended. */
  readonly ended = new Map<string, number>()

  /** Until it is gone. */
  async record(worker: Worker): Promise<void> {
    try {
      for (;;) {
        const { seen } = await worker.next('seen')
        for (const [kind, items] of Object.entries(seen as Record<string, unknown[]>)) {
          const known = (this.#seen[kind] ??= [])
          for (const item of items) known.push(item)
        }
      }
    } catch {} // it is
  }

  watchOwnStalls(): () => void {
    let lookedAt = now()
    const timer = setInterval(() => {
      if (now() - lookedAt - LOOK_EVERY > STALL) this.#stalls.push({ from: lookedAt, to: now() })
      lookedAt = now()
    }, LOOK_EVERY)
    return () => clearInterval(timer)
  }

  get errors(): readonly string[] {
    return this.#of<string>('errors')
  }

  history(): History {
    return {
      calls: this.#of('calls'),
      loads: this.#of('loads'),
      readings: this.#of('readings'),
      changes: this.#changes(),
      hearings: this.#of('hearings'),
      lapses: this.#of('lapses'),
      stalls: [...this.#of<Stall>('stalls'), ...this.#stalls],
      faults: this.faults,
    }
  }

  /** Each is told when it begins, and again when it is done; of a process that was killed only the first may be there. */
  #changes(): Change[] {
    const byVersion = new Map<string, Change>()
    for (const change of this.#of<Change>('changes')) byVersion.set(`${change.key} ${change.version}`, change)
    const endOf = ({ process }: Change): number => (this.ended.get(process) ?? Infinity) + AFTERMATH
    return [...byVersion.values()].map((change) => (change.isDone ? change : { ...change, to: endOf(change) }))
  }

  #of<T>(kind: string): T[] {
    return (this.#seen[kind] ?? []) as T[]
  }
}

/** ms for which what a process has sent before it was killed may still be on its way. */
const AFTERMATH = 1000
