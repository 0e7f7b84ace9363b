import { randomUUID } from 'node:crypto'
import type { Channel } from '../../test/support/message-channel.ts'
import type { LoadOrder, LoadResult } from './load.ts'
import { startProcess } from './processes.ts'
import type { DemoRedis } from './redis.ts'
import { HANDLER_TIME, STALE_PHASE_LENGTH } from './timing.ts'

const REQUESTS = 1000
const PROGRESS_EVERY = 100
const PROCESSES_WITH_REDIS = 4

interface Phase {
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
const warmUp: Phase = { name: 'warming up', path: '/warm-up', over: 0, storedBefore: false }

/** What the demo shows, in order. */
const phases: readonly Phase[] = [
  { name: 'without singleFlight', path: '/without', over: 0, storedBefore: false },
  { name: 'with singleFlight', path: '/with', over: 0, storedBefore: false },
  { name: 'expiring under load', path: '/expiring', over: STALE_PHASE_LENGTH, storedBefore: true },
]

interface Service {
  readonly channel: Channel
  readonly port: number
}

/** Starts the server processes and the load process, and runs the phases one after the other. */
export async function runPhases(redis: DemoRedis | undefined): Promise<PhaseResult[]> {
  const [services, load] = await Promise.all([startServices(redis), startProcess('load')])
  const where = services.length === 1 ? 'one process' : `${services.length} processes that share a Redis`
  console.log(
    `Express in ${where}, a handler that takes ${HANDLER_TIME} ms, ${REQUESTS} requests from another process\n`,
  )
  await runPhase(warmUp, services, load.channel)
  const results: PhaseResult[] = []
  for (const phase of phases) results.push(await runPhase(phase, services, load.channel))
  return results
}

async function startServices(redis: DemoRedis | undefined): Promise<Service[]> {
  const count = redis === undefined ? 1 : PROCESSES_WITH_REDIS
  const args = redis === undefined ? [] : [redis.url, `herdlock-demo:${randomUUID()}`]
  const starting = Array.from({ length: count }, () => startProcess('service', args))
  const started = await Promise.all(starting)
  return started.map(({ channel, greeting }) => ({ channel, port: greeting['port'] as number }))
}

async function runPhase(phase: Phase, services: readonly Service[], load: Channel): Promise<PhaseResult> {
  const { name, path, over, storedBefore } = phase
  const ports = services.map(({ port }) => port)
  const order: LoadOrder = { ports, path, requests: REQUESTS, over, storedBefore }
  process.stdout.write(name.padEnd(22))
  load.send({ type: 'order', ...order })
  await load.next('ready-to-fire')
  await countRuns(services)
  const startedAt = performance.now()
  load.send({ type: 'fire' })
  for (let done = 0; done < REQUESTS; done += PROGRESS_EVERY) {
    await load.next('progress')
    process.stdout.write('. ')
  }
  const { result } = await load.next('finished')
  console.log(`${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
  return { ...(result as LoadResult), name, requests: REQUESTS, runs: await countRuns(services) }
}

/** Handler runs of each process since they were asked last. */
async function countRuns(services: readonly Service[]): Promise<number[]> {
  const counts = services.map(async ({ channel }) => {
    channel.send({ type: 'count' })
    return (await channel.next('counted'))['runs'] as number
  })
  return Promise.all(counts)
}
