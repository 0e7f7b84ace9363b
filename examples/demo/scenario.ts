import { randomUUID } from 'node:crypto'
import type { Channel } from '../../test/support/message-channel.ts'
import type { LoadOrder, LoadResult } from './load.ts'
import { startProcess } from './processes.ts'
import type { DemoRedis } from './redis.ts'
import { CONNECTIONS, QUERY_TIME, STALE_PHASE_LENGTH } from './timing.ts'

const PROGRESS_EVERY = 100
const PROCESSES_WITH_REDIS = 4

export interface Phase {
  readonly name: string
  readonly path: string
  /** ms over which the requests are spread; 0: all at once. */
  readonly over: number
  /** Whether every process has the response before the load begins. */
  readonly storedBefore: boolean
}

export interface PhaseResult extends LoadResult {
  readonly name: string
  readonly requests: number
  /** Handler runs during the load, one number a process. */
  readonly runs: readonly number[]
}

/** Not shown: lets Node compile what the others measure, and Redis's connections open. */
export const warmUp: Phase = { name: 'warming up', path: '/warm-up', over: 0, storedBefore: false }

/** What the demo shows, in order. */
const phases: readonly Phase[] = [
  { name: 'without singleFlight', path: '/without', over: 0, storedBefore: false },
  { name: 'with singleFlight', path: '/with', over: 0, storedBefore: false },
  { name: 'expiring under load', path: '/expiring', over: STALE_PHASE_LENGTH, storedBefore: true },
]

/** A server process. */
export interface Service {
  readonly channel: Channel
  readonly port: number
  /** SIGKILL; resolves when it has ended. */
  kill(): Promise<void>
}

/** Starts the server processes and the load process, and runs the phases one after the other. */
export async function runPhases(redis: DemoRedis | undefined, requests: number): Promise<PhaseResult[]> {
  const { services, load } = await startAll(redis, requests)
  const results: PhaseResult[] = []
  for (const phase of phases) results.push(await runPhase(phase, { services, load, requests }))
  return results
}

/** Starts all processes, warms them up, and says what there is. */
export async function startAll(
  redis: DemoRedis | undefined,
  requests: number,
): Promise<{ services: Service[]; load: Channel }> {
  const [services, { channel: load }] = await Promise.all([startServices(redis), startProcess('load')])
  const where = services.length === 1 ? 'one process' : `${services.length} processes that share a Redis`
  console.log(
    `Express in ${where}. Its handler asks a database: a query takes ${QUERY_TIME} ms, ${CONNECTIONS} run at a time.\n` +
      `${requests} requests come from another process.\n`,
  )
  await runPhase(warmUp, { services, load, requests: 100 * services.length }, false)
  return { services, load }
}

async function startServices(redis: DemoRedis | undefined): Promise<Service[]> {
  const count = redis === undefined ? 1 : PROCESSES_WITH_REDIS
  const pool = String(CONNECTIONS / count)
  const args = redis === undefined ? [pool] : [pool, redis.url, `herdlock-demo:${randomUUID()}`]
  const starting = Array.from({ length: count }, () => startProcess('service', args))
  const started = await Promise.all(starting)
  return started.map(({ channel, greeting, kill }) => ({ channel, port: greeting['port'] as number, kill }))
}

/** Runs one phase. `during` is called when the requests have been sent; it may end processes, which then count no runs. */
export async function runPhase(
  { name, path, over, storedBefore }: Phase,
  { services, load, requests }: { services: readonly Service[]; load: Channel; requests: number },
  isShown = true,
  during: () => Promise<readonly Service[]> = async () => services,
): Promise<PhaseResult> {
  const say = (text: string): void => void (isShown && process.stdout.write(text))
  const ports = services.map(({ port }) => port)
  const order: LoadOrder = { ports, path, requests, over, storedBefore }
  say(name.padEnd(22))
  load.send({ type: 'order', ...order })
  await load.next('ready-to-fire')
  await countRuns(services)
  const startedAt = performance.now()
  load.send({ type: 'fire' })
  const left = during()
  left.catch(() => {}) // awaited below
  for (let done = 0; done < requests; done += PROGRESS_EVERY) {
    await load.next('progress')
    say('. ')
  }
  const { result } = await load.next('finished')
  say(`${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`)
  return { ...(result as LoadResult), name, requests, runs: await countRuns(await left) }
}

/** Handler runs of each process since they were asked last. */
export async function countRuns(services: readonly Service[]): Promise<number[]> {
  const counts = services.map(async ({ channel }) => {
    channel.send({ type: 'count' })
    return (await channel.next('counted'))['runs'] as number
  })
  return Promise.all(counts)
}
