// What happens to a herd when something goes down in the middle of it.
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { RedisServer } from '../../test/support/redis-server.ts'
import { countRuns, type PhaseResult, runPhase, startAll } from './scenario.ts'
import { table, total } from './table.ts'

export const SCENES = { redis: redisGoesAway, kill: podIsKilled } as const
export type SceneName = keyof typeof SCENES

/** ms after which processes share again, at the latest, once Redis is back; they do within about a second. */
const BACK_WITHIN = 15_000

/** A herd before Redis is killed, one while it is away, and one after. */
async function redisGoesAway(redis: RedisServer, requests: number): Promise<string> {
  const all = { ...(await startAll(redis, requests)), requests }
  const herd = (name: string): Promise<PhaseResult> =>
    runPhase({ name, path: `/page/${randomUUID()}`, over: 0, storedBefore: false }, all)
  const before = await herd('Redis is there')
  await redis.kill()
  const away = await herd('Redis is gone')
  await redis.restart()
  const waited = await untilShared(() => runPhase(probe(), { ...all, requests: 100 * all.services.length }, false))
  const after = await herd('Redis is back')
  const processes = all.services.length
  expectAll(before, 1)
  expectAll(away, processes)
  expectAll(after, 1)
  return [
    `\n${table([before, away, after], true)}\n`,
    'While Redis answers, one process runs the handler for all.',
    `While it is gone, each of the ${processes} processes runs it once, and no request fails.`,
    `Once it is back, they share again: here ${(waited / 1000).toFixed(1)} s later.`,
  ].join('\n')
}

/** A herd whose leading process is killed while its handler runs. */
async function podIsKilled(redis: RedisServer, requests: number): Promise<string> {
  const all = { ...(await startAll(redis, requests)), requests }
  let ranBefore = 0
  const phase = { name: 'a process is killed', path: `/long/${randomUUID()}`, over: 0, storedBefore: false }
  const result = await runPhase(phase, all, true, async () => {
    let leader = -1
    while (leader === -1) {
      const runs = await countRuns(all.services)
      leader = runs.findIndex((count) => count > 0)
      if (leader === -1) await delay(20)
      else ranBefore = total(runs)
    }
    await all.services[leader]?.kill()
    return all.services.filter((_, index) => index !== leader)
  })
  const lost = requests / all.services.length
  if (result.errors.length !== lost) throw new Error(`${result.errors.length} requests failed, expected ${lost}`)
  if (ranBefore !== 1 || total(result.runs) !== 1) {
    throw new Error(`${ranBefore} handler runs before and ${total(result.runs)} after the kill, expected 1 and 1`)
  }
  return [
    `\n${table([{ ...result, runs: [ranBefore, ...result.runs] }], true)}\n`,
    `The process that ran the handler was killed. The ${lost} requests that were connected to it failed: no library can help those.`,
    `The other ${requests - lost} waited until its lease had run out, 3 s at most. Then one other process ran the handler, once, for all.`,
  ].join('\n')
}

function probe() {
  return { name: 'probe', path: `/page/${randomUUID()}`, over: 0, storedBefore: false }
}

/** Until one run serves all processes; resolves with the ms that it took. */
async function untilShared(run: () => Promise<PhaseResult>): Promise<number> {
  const startedAt = performance.now()
  while (total((await run()).runs) !== 1) {
    if (performance.now() - startedAt > BACK_WITHIN) throw new Error(`not shared within ${BACK_WITHIN / 1000} s`)
    await delay(100)
  }
  return performance.now() - startedAt
}

function expectAll({ name, runs, errors }: PhaseResult, expected: number): void {
  if (errors.length > 0) throw new Error(`${name}: ${errors.length} requests failed, the first with: ${errors[0]}`)
  if (total(runs) !== expected) throw new Error(`${name}: ${total(runs)} handler runs, expected ${expected}`)
}
