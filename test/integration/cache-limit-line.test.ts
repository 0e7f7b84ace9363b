import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { cacheLab, settled, timed, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { gatedLoads } from '../support/gated-loads.ts'
import { sealed } from '../support/sealed.ts'

const lab = cacheLab()
const KEYS = Array.from({ length: 200 }, (_, n) => `key ${n}`)
const LOCK_TTL = 30_000
/** Of this, claims may be put off for a sixteenth: 4 s. */
const WAIT_TIMEOUT = 64_000
/** What a machine under load may take for everything that is not put off. */
const SOON = 2500

/** A cache whose loads seem to take a quarter of an hour. */
async function slowOne(options: Parameters<typeof lab.cache>[0] = {}): Promise<Cache> {
  const cache = lab.cache({ maxLoads: 1, lockTtl: LOCK_TTL, waitTimeout: WAIT_TIMEOUT, ...options })
  await warmUp(lab.redis, cache)
  const until = Date.now() + 60_000
  const times = { freshUntil: until, staleUntil: until, errorUntil: until, loadTime: 1_000_000 }
  const entry = sealed({ kind: 'value', ...times, tags: [], payload: Buffer.from('J1') })
  await lab.client().set(`${lab.prefix}:{slow}`, entry)
  expect(await cache.getOrRefill('slow', () => 0)).toBe(1)
  await settled(cache)
  return cache
}

/** Calls for all keys at once, of which the first loads until the gate opens. */
function crowd(cache: Cache): { answers: Promise<string[]>; loads: ReturnType<typeof gatedLoads> } {
  const loads = gatedLoads()
  return { answers: Promise.all(KEYS.map((key) => cache.getOrRefill(key, loads.loader))), loads }
}

async function leases(): Promise<number> {
  return (await lab.keys()).filter((key) => key.endsWith(':lease')).length
}

async function finish({ answers, loads }: ReturnType<typeof crowd>): Promise<void> {
  let isOver = false
  const done = answers.finally(() => (isOver = true))
  await eventually('all are loaded', () => {
    loads.endAll()
    return isOver
  })
  expect(new Set(await done).size).toBe(KEYS.length)
}

describe('while loads stand in line', () => {
  test('further claims are put off, but for no more than a sixteenth of waitTimeout', async () => {
    const cache = await slowOne()
    const calls = crowd(cache)
    const begun = performance.now()
    await eventually('the first have their leases', async () => (await leases()) > 0, { every: 1 })
    expect(await leases()).toBeLessThan(KEYS.length / 2)
    await eventually('all have', async () => (await leases()) === KEYS.length)
    expect(performance.now() - begun).toBeGreaterThan(WAIT_TIMEOUT / 16 - 50)
    await finish(calls)
  })

  test('a call that cannot wait for long is not put off for long, and takes the others along', async () => {
    const cache = await slowOne()
    const calls = crowd(cache)
    await eventually('the first have their leases', async () => (await leases()) > 0, { every: 1 })
    const { took } = await timed(async () => {
      void cache.getOrRefill('impatient', calls.loads.loader, { waitTimeout: 100 }).catch(() => {})
      await eventually('all have', async () => (await leases()) >= KEYS.length, { every: 10 })
    })
    expect(took).toBeLessThan(SOON)
    await finish(calls)
  })

  test('a loader that asks for another key is not put off', async () => {
    const cache = await slowOne()
    const gate = gatedLoads()
    let asks = (): void => {}
    const outer = cache.getOrRefill('outer', async () => {
      await new Promise<void>((resolve) => (asks = resolve))
      return cache.getOrRefill('inner', () => 'inner')
    })
    await eventually('it runs', () => cache.stats().limit?.running === 1)
    const answers = Promise.all(KEYS.map((key) => cache.getOrRefill(key, gate.loader)))
    await eventually('others stand in line', () => (cache.stats().limit?.waiting ?? 0) > 0, { every: 1 })
    const { took } = await timed(() => {
      asks()
      return outer
    })
    expect(took).toBeLessThan(SOON)
    await finish({ answers, loads: gate })
  })

  test('callers for whom something stale is stored are not put off', async () => {
    const stale = { ttl: 1, staleWhileRevalidate: 60_000 }
    const writer = lab.cache(stale)
    await writer.getOrRefillMany(KEYS, (keys) => new Map(keys.map((key) => [key, 'stale'])))
    await settled(writer)
    const cache = await slowOne({ ...stale, memory: false })
    const gate = gatedLoads()
    const waiting = ['first', 'second', 'third'].map((key) => cache.getOrRefill(key, gate.loader))
    await eventually('they stand in line', () => (cache.stats().limit?.waiting ?? 0) > 0)
    const { took } = await timed(async () => {
      const calls = KEYS.map((key) => cache.getOrRefill(key, gate.loader))
      expect(new Set(await Promise.all(calls))).toEqual(new Set(['stale']))
    })
    expect(took).toBeLessThan(SOON)
    let isOver = false
    void Promise.all(waiting).then(() => (isOver = true))
    await eventually('all are loaded', () => {
      gate.endAll()
      return isOver && cache.stats().flights === 0
    })
  })
})
