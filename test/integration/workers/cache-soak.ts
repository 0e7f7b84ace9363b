import { Redis } from 'ioredis'
import { createCache } from '../../../src/cache/create-cache.ts'
import { parent, ready } from '../../support/worker-side.ts'
import { FakeRandom } from '../../support/fake-random.ts'
import { collectGarbage } from '../../support/collect-garbage.ts'
import { snapshotResources } from '../../support/leaks.ts'
import type { SoakFootprint, SoakReport, SoakSetup } from '../../support/cache-soak.ts'

/**
 * One process of the soak: asks, sets and invalidates at random, and judges every answer. The origin is a Redis of its
 * own, which no fault touches: `version:<key>` is what a loader finds, `known:<key>` a version that all must know of.
 */
const setup = JSON.parse(process.argv[2] as string) as SoakSetup
const { originUrl, url, prefix, keys, callers, options, grace } = setup
const random = new FakeRandom(setup.seed)
const origin = new Redis(originUrl)
const redis = new Redis(url)
redis.on('error', () => {})
const cache = createCache({ ...options, redis, prefix })
const report: SoakReport = { calls: 0, changes: 0, aborted: 0, slowest: 0, wrong: [] }
process.on('unhandledRejection', (error) => report.wrong.push(`unhandled: ${String(error)}`))

interface Value {
  key: string
  version: number
}

/** Versions that changes made in this very process, and completed, stand for: from then on nothing older is right. */
const ownVersions = new Map<string, number>()
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function load(key: string): Promise<Value> {
  await origin.incr('loads')
  const version = Number((await origin.get(`version:${key}`)) ?? 0)
  await pause(random.uniform() * 40)
  return { key, version }
}

async function ask(key: string): Promise<void> {
  const known = Math.max(Number((await origin.get(`known:${key}`)) ?? 0), ownVersions.get(key) ?? 0)
  const controller = random.uniform() < 0.05 ? new AbortController() : undefined
  if (controller !== undefined) setTimeout(() => controller.abort(controller), random.uniform() * 30)
  const startedAt = performance.now()
  try {
    const signal = controller === undefined ? undefined : { signal: controller.signal }
    const value = await cache.getOrRefill(key, () => load(key), signal)
    if (value.key !== key) report.wrong.push(`${key} got the value of ${value.key}`)
    if (value.version < known) report.wrong.push(`${key} got version ${value.version} when ${known} was known`)
  } catch (error) {
    if (error === controller) report.aborted++
    else report.wrong.push(`${key}: ${String(error)}`)
  }
  report.calls++
  report.slowest = Math.max(report.slowest, performance.now() - startedAt)
}

const changing = new Set<string>()

/**
 * The origin changes, then the cache is told, as often as it takes. Each key is changed by one process, and one change
 * after the other: of two that set at once nobody could say which comes last.
 */
async function change(): Promise<void> {
  const key = `key ${setup.index + setup.processes * Math.floor((random.uniform() * keys) / setup.processes)}`
  if (changing.has(key)) return
  changing.add(key)
  const version = await origin.incr(`version:${key}`)
  const isSet = random.uniform() < 0.5
  for (;;) {
    try {
      await (isSet ? cache.set(key, { key, version }) : cache.invalidate(key))
      break
    } catch {
      await pause(50)
    }
  }
  changing.delete(key)
  report.changes++
  ownVersions.set(key, Math.max(ownVersions.get(key) ?? 0, version))
  // Other processes hear of it by a message, which takes its time and may be lost with the connection.
  setTimeout(() => {
    void origin.eval(
      "if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end",
      1,
      `known:${key}`,
      version,
    )
  }, grace)
}

/** Answers whenever it is asked. */
async function showFootprints(): Promise<void> {
  for (;;) {
    await parent.next('footprint')
    collectGarbage()
    const listeners = [redis, process].reduce(
      (sum, emitter) => sum + emitter.eventNames().reduce((all, name) => all + emitter.listenerCount(name), 0),
      0,
    )
    const handles = Object.fromEntries(snapshotResources())
    const footprint: SoakFootprint = { pid: process.pid, heap: process.memoryUsage().heapUsed, handles, listeners }
    parent.send({ type: 'footprint', footprint })
  }
}
showFootprints().catch(() => {}) // the other end has gone

let running = true
async function caller(): Promise<void> {
  while (running) {
    const key = `key ${Math.floor(random.uniform() ** 2 * keys)}`
    if (random.uniform() < 0.03) await change()
    else await ask(key)
    await pause(random.uniform() * 5)
  }
}

ready()
const callersDone = Promise.all(Array.from({ length: callers }, caller))
await parent.next('stop')
running = false
await callersDone
await pause(grace) // for the timers above
await cache.close()
redis.disconnect()
origin.disconnect()
parent.send({ type: 'report', report })
// Nothing else is ended by force: a timer or socket that is left would keep this process, and fail the soak.
process.disconnect()
