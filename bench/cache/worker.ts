import { PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { batches, type BatchSetup } from './batch-worker.ts'
import type { Opened, Setup } from './contender.ts'
import { contender } from './contenders.ts'
import { type Rates, ratesOfFirstSecond } from '../measure/first-second.ts'
import { crowd, openCrowd, type CrowdSetup } from './crowd-worker.ts'
import { valueOf } from './values.ts'

/** What a worker is told to do; each order is answered when it is done. */
export type Order =
  | { do: 'open'; contender: string; setup: Omit<Setup, 'load'>; size: number; loadTime: number }
  | { do: 'fill'; keys: readonly string[]; rounds: number }
  | { do: 'misses' }
  | { do: 'know'; keys: readonly string[] }
  | { do: 'hits'; callers: number; count: number }
  | { do: 'bursts'; count: number }
  | { do: 'peeks'; count: number }
  | { do: 'first-hits'; callers: number; inARow: number }
  | { do: 'first-bursts' }
  | { do: 'first-peeks' }
  | { do: 'garbage'; count: number }
  | { do: 'herd'; key: string; callers: number; at: string }
  | { do: 'loads' }
  | { do: 'time'; key: string }
  | { do: 'entries'; contender: string; setup: Omit<Setup, 'load'>; count: number }
  | { do: 'waiters'; waiters: number; flights: number }
  | { do: 'batches'; setup: BatchSetup }
  | { do: 'crowd-open'; setup: CrowdSetup }
  | { do: 'crowd'; at: string }
  | { do: 'close' }

/** Of one process: when its last caller was answered, in ns on the clock that all share, and what each waited in ms. */
export interface Herded {
  last: string
  waits: number[]
}

export interface Timed {
  /** ms until the loader began; absent where it did not run. */
  untilLoad: number | undefined
  /** ms until the answer. */
  untilAnswer: number
}

export interface Waited {
  /** Bytes a waiter. */
  bytes: number
  /** ms from the end of the load until the last waiter was awake. */
  lastAwake: number
}

/** Between two looks at the clock. */
const PEEKS_IN_A_ROW = 1000
const MISSES_IN_A_ROW = 100

const collect = (): void => (globalThis as { gc?: () => void }).gc?.()

let opened: Opened
let keys: readonly string[] = []
let runs = 0
let loadBegan = 0
let load: (key: string) => Promise<unknown>
/** Ends the loads that wait for it. */
let endLoads: () => void = () => {}

process.on('message', (order: Order) => {
  obey(order).then(
    (answer) => process.send?.({ answer }),
    (error: unknown) =>
      process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})
process.on('disconnect', () => process.exit())

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'open': {
      const { size, loadTime, setup } = order
      load = async (key) => {
        runs++
        loadBegan = performance.now()
        if (loadTime > 0) await delay(loadTime)
        return valueOf(key, size, setup.bytes)
      }
      opened = await contender(order.contender).open({ ...setup, load: (key) => load(key) })
      return undefined
    }
    case 'fill':
      keys = order.keys
      return await fill(order.rounds)
    case 'know':
      keys = order.keys
      return undefined
    case 'hits':
      return await hitsPerSecond(order.callers, order.count)
    case 'bursts':
      return await burstHitsPerSecond(order.count)
    case 'peeks':
      return peeksPerSecond(order.count)
    case 'first-hits':
      return await firstHits(order.callers, order.inARow)
    case 'first-bursts':
      return await ratesOfFirstSecond(1, async () => (await burstHitsPerSecond(keys.length), keys.length))
    case 'first-peeks':
      return await ratesOfFirstSecond(1, async () => (peeksPerSecond(PEEKS_IN_A_ROW), PEEKS_IN_A_ROW))
    case 'misses':
      return await cpuOfMiss()
    case 'garbage':
      return await garbagePerHit(order.count)
    case 'herd':
      return await herd(order.key, order.callers, BigInt(order.at))
    case 'loads': {
      const counted = runs
      runs = 0
      return counted
    }
    case 'time':
      return await time(order.key)
    case 'entries':
      return await bytesPerEntry(order.contender, order.setup, order.count)
    case 'waiters':
      return await waitersOf(order.waiters, order.flights)
    case 'batches':
      return await batches(order.setup)
    case 'crowd-open':
      return await openCrowd(order.setup)
    case 'crowd':
      return await crowd(BigInt(order.at))
    case 'close':
      return await opened.close()
  }
}

/** Makes the values known, then reads them over and over so that all is compiled. */
async function fill(rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (let from = 0; from < keys.length; from += 50) {
      await Promise.all(keys.slice(from, from + 50).map((key) => opened.get(key)))
    }
    if (round === 0) await delay(200) // what is stored after the answer
  }
}

/** `callers` at once, each with keys of its own, each asking again when it is answered. */
async function hitsPerSecond(callers: number, count: number): Promise<number> {
  const { get } = opened
  const known = keys
  const each = Math.ceil(count / callers)
  const caller = async (first: number): Promise<void> => {
    let at = first
    for (let i = 0; i < each; i++) {
      if ((await get(known[at] as string)) === undefined) throw new Error('not a hit')
      at += callers
      if (at >= known.length) at = first
    }
  }
  const before = runs
  const start = performance.now()
  await Promise.all(Array.from({ length: callers }, (_, index) => caller(index)))
  const seconds = (performance.now() - start) / 1000
  if (runs !== before) throw new Error(`${runs - before} of ${count} were no hits`)
  return (each * callers) / seconds
}

/** As above, for the first second of a process; a caller looks at the clock after so many in a row. */
async function firstHits(callers: number, inARow: number): Promise<Rates> {
  const { get } = opened
  const known = keys
  const next = Array.from({ length: callers }, (_, caller) => caller)
  const before = runs
  const rates = await ratesOfFirstSecond(callers, async (caller) => {
    let at = next[caller] as number
    for (let i = 0; i < inARow; i++) {
      if ((await get(known[at] as string)) === undefined) throw new Error('not a hit')
      at += callers
      if (at >= known.length) at = caller
    }
    next[caller] = at
    return inARow
  })
  if (runs !== before) throw new Error(`${runs - before} were no hits`)
  return rates
}

/** All keys at once, then again. */
async function burstHitsPerSecond(count: number): Promise<number> {
  const { get } = opened
  const start = performance.now()
  for (let done = 0; done < count; done += keys.length) await Promise.all(keys.map((key) => get(key)))
  return count / ((performance.now() - start) / 1000)
}

function peeksPerSecond(count: number): number {
  const peek = opened.peek as (key: string) => { n: number }
  const known = keys
  let sum = 0
  let at = 0
  const start = performance.now()
  for (let i = 0; i < count; i++) {
    sum += peek(known[at] as string).n
    if (++at === known.length) at = 0
  }
  const seconds = (performance.now() - start) / 1000
  if (!(sum > 0)) throw new Error('not a hit')
  return count / seconds
}

/** µs of processor time that a miss takes in a second of nothing else, one after another. */
async function cpuOfMiss(): Promise<number> {
  const before = runs
  const used = process.cpuUsage()
  await ratesOfFirstSecond(1, async () => {
    for (let i = 0; i < MISSES_IN_A_ROW; i++) await opened.get(`unknown:${runs}`)
    return MISSES_IN_A_ROW
  })
  const { user, system } = process.cpuUsage(used)
  return (user + system) / (runs - before)
}

/** Bytes that one hit leaves to the garbage collector, in a young generation so large that it does not run meanwhile. */
async function garbagePerHit(count: number): Promise<number> {
  let collections = 0
  const observer = new PerformanceObserver((list) => void (collections += list.getEntries().length))
  collect()
  await delay(20)
  observer.observe({ entryTypes: ['gc'] })
  const before = process.memoryUsage().heapUsed
  await hitsPerSecond(1, count)
  const bytes = process.memoryUsage().heapUsed - before
  await delay(20)
  observer.disconnect()
  return collections > 0 ? Number.NaN : bytes / count
}

async function herd(key: string, callers: number, at: bigint): Promise<Herded> {
  const wait = Number(at - process.hrtime.bigint()) / 1e6
  if (wait > 0) await delay(wait)
  const waits: number[] = []
  const asked: Promise<void>[] = []
  const start = performance.now()
  for (let i = 0; i < callers; i++) asked.push(oneOfTheHerd(key, start, waits))
  await Promise.all(asked)
  return { last: String(process.hrtime.bigint()), waits }
}

async function oneOfTheHerd(key: string, start: number, waits: number[]): Promise<void> {
  if ((await opened.get(key)) === undefined) throw new Error('no value')
  waits.push(performance.now() - start)
}

async function time(key: string): Promise<Timed> {
  const before = runs
  const start = performance.now()
  await opened.get(key)
  const untilAnswer = performance.now() - start
  return { untilLoad: runs === before ? undefined : loadBegan - start, untilAnswer }
}

async function bytesPerEntry(name: string, setup: Omit<Setup, 'load'>, count: number): Promise<number> {
  const names = Array.from({ length: count }, (_, index) => `user:${index}`)
  for (const each of names) Buffer.byteLength(each) // flattens it, which a look-up would do
  const used = (): number => {
    collect()
    collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const before = used()
  const cache = await contender(name).open({ ...setup, load: async (key) => ({ n: key.length }) })
  for (let from = 0; from < count; from += 100) {
    await Promise.all(names.slice(from, from + 100).map((key) => cache.get(key)))
  }
  await delay(50)
  const bytes = (used() - before) / count
  await cache.close()
  return bytes
}

/** Waiters on `flights` loads, as many on each: what they cost while they wait, and how soon the last wakes. */
async function waitersOf(waiters: number, flights: number): Promise<Waited> {
  const ended = new Promise<void>((resolve) => (endLoads = resolve))
  load = async (key) => {
    await ended
    return { n: key.length }
  }
  const run = `${Math.random()}:`
  const waiting: unknown[] = Array.from({ length: waiters * flights })
  collect()
  collect()
  const before = process.memoryUsage().heapUsed
  let at = 0
  for (let flight = 0; flight < flights; flight++) {
    const key = run + flight
    for (let i = 0; i < waiters; i++) waiting[at++] = opened.get(key)
  }
  await delay(5)
  collect()
  collect()
  const bytes = (process.memoryUsage().heapUsed - before) / at
  let lastAwake = 0
  const woken = Promise.all(
    waiting.map(async (promise) => {
      await promise
      lastAwake = performance.now()
    }),
  )
  const start = performance.now()
  endLoads()
  await woken
  return { bytes, lastAwake: lastAwake - start }
}
