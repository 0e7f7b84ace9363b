import { subscribe } from 'node:diagnostics_channel'
import { Redis } from 'ioredis'
import { createCache } from '../../../src/cache/create-cache.ts'
import type { MemoryOptions } from '../../../src/cache/options.ts'
import { LONGEST_LOAD, type ChaosSetup } from '../../chaos/plan.ts'
import { FORCED } from '../../chaos/checker.ts'
import type { Call, Change, Chunk, Hearing, Lapse, Load, Reading, Stall } from '../../chaos/history.ts'
import { lengthOf, streamKeys, StreamUser } from '../../chaos/stream-user.ts'
import { connectClient } from '../../support/clients-by-library.ts'
import { FakeRandom } from '../../support/fake-random.ts'
import { parent, ready } from '../../support/worker-side.ts'

/**
 * One process of a chaos run: callers that ask, set and invalidate at random, and tell all that they see. The origin is a
 * Redis of its own, which no fault touches: `version:<key>` is what a loader finds.
 */
const setup = JSON.parse(process.argv[2] as string) as ChaosSetup
const { name, place, places, keys } = setup
const random = new FakeRandom(setup.seed)
const origin = new Redis(setup.originUrl)
const address = { host: '127.0.0.1', port: setup.port }
const redis = await connectClient(setup.library, address, setup.client)
const cache = createCache({ ...setup.options, redis })

const now = (): number => Number(process.hrtime.bigint()) / 1e6
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const between = (least: number, most: number): number => least + random.uniform() * (most - least)

/** Told at short intervals; what is not told yet is lost with the process. */
type Seen = { [kind: string]: unknown[] }
let seen: Seen = {}
const TELL_EVERY = 50
function see(kind: 'calls', item: Call): void
function see(kind: 'loads', item: Load): void
function see(kind: 'readings', item: Reading): void
function see(kind: 'changes', item: Change): void
function see(kind: 'hearings', item: Hearing): void
function see(kind: 'lapses', item: Lapse): void
function see(kind: 'stalls', item: Stall): void
function see(kind: 'errors', item: string): void
function see(kind: string, item: unknown): void {
  ;(seen[kind] ??= []).push(item)
}
function tell(): void {
  if (Object.keys(seen).length > 0) parent.send({ type: 'seen', seen })
  seen = {}
}
let toldAt = now()
const telling = setInterval(() => {
  const late = now() - toldAt - TELL_EVERY
  if (late > STALL) see('stalls', { process: name, from: toldAt, to: now() })
  toldAt = now()
  noteStep()
  tell()
}, TELL_EVERY)
/** ms that the event loop may be late before it counts as having stood still. */
const STALL = 200

process.on('unhandledRejection', (error) => see('errors', `${name}: unhandled rejection: ${String(error)}`))
process.on('uncaughtException', (error) => see('errors', `${name}: uncaught: ${String(error)}`))

/** ms for which memory may answer with what it had when changes were not told, and some to find that out. */
const OUT_OF_STEP = (memoryOf(setup.options).unsyncedTtl ?? 1000) + 200
let outOfStepAt = now()
function noteStep(): void {
  if (cache.stats().redis.some(({ messages }) => messages !== 'connected')) outOfStepAt = now()
}
function memoryOf({ memory }: ChaosSetup['options']): MemoryOptions {
  return memory === false || memory === undefined ? {} : memory
}

const MARK = /^heard:(.+):(\d+)$/
cache.on('invalidated', ({ key }) => {
  const [, changed, version] = MARK.exec(key ?? '') ?? []
  if (changed === undefined) return
  noteStep()
  const at = Math.max(now(), outOfStepAt + OUT_OF_STEP)
  see('hearings', { process: name, key: changed, version: Number(version), at })
})
cache.on('lease-lost', ({ key }) => see('lapses', { process: name, key, at: now() }))

interface Value {
  readonly key: string
  readonly version: number
}

/** When each key was last asked for in Redis with the wish to load it. */
const claimedAt = new Map<string, number>()
const claimsBegun = new WeakMap<object, number>()
subscribe('tracing:herdlock:claim:start', (message) => {
  claimedAt.set((message as { key: string }).key, now())
  claimsBegun.set(message as object, now())
})
/** By key, the lease that was given last: when it was asked for, and when it was given. */
const leases = new Map<string, { readonly askedAt: number; readonly givenAt: number }>()
/** ms within which a producer begins that has one. */
const AT_ONCE = 500
subscribe('tracing:herdlock:claim:asyncEnd', (message) => {
  const { key, state } = message as { key: string; state: string }
  const askedAt = claimsBegun.get(message as object)
  if (state === 'leased' && askedAt !== undefined) leases.set(key, { askedAt, givenAt: now() })
})
/** When the lease was asked for under which a producer of the key begins now. */
function leaseAskedAt(key: string): number | undefined {
  const { askedAt, givenAt } = leases.get(key) ?? { askedAt: undefined, givenAt: -Infinity }
  leases.delete(key)
  return now() - givenAt < AT_ONCE ? askedAt : undefined
}

class LoaderError extends Error {
  override readonly name = 'LoaderError'
}

/**
 * One load of one key, or of several together. One that is given up goes on here, as many do, but its leases are given
 * back: from then on others may load.
 */
async function load(several: readonly string[], forced: boolean, signal: AbortSignal): Promise<Value[]> {
  const from = now()
  const claimed = several.map((key) => ({ process: name, key, claimedAt: claimedAt.get(key) ?? from }))
  let failed = true
  let givenUpAt = Infinity
  signal.addEventListener('abort', () => (givenUpAt = now()))
  try {
    const versions = await origin.mget(several.map((key) => `version:${key}`))
    await pause(between(0, LONGEST_LOAD))
    if (random.uniform() < 0.03) throw new LoaderError('as loaders do')
    failed = false
    return several.map((key, i) => ({ key, version: Number(versions[i] ?? 0) }))
  } finally {
    const to = Math.min(now(), givenUpAt)
    for (const load of claimed) see('loads', { ...load, from, to, failed, forced })
    if (failed) tell() // others may be told of it, and this process be killed, before the next time
  }
}

async function loadOne(key: string, forced: boolean, signal: AbortSignal): Promise<Value> {
  const [value] = await load([key], forced, signal)
  return value as Value
}

/** How the call that is being made is answered: told while it is made, or, of stale values, at any time. */
let outcome: Call['how'] = 'own'
const staleAt = new Map<string, number>()
cache.on('coalesced', () => (outcome = 'joined'))
cache.on('hit', ({ tier }) => tier === 'memory' && (outcome = 'memory'))
cache.on('stale', ({ key, tier }) => {
  outcome = 'memory' // while a call is made also what a flight that is under way has read in Redis before
  if (tier !== 'memory') return
  staleAt.set(key, now())
})

function noteHow<T>(begin: () => T): { answer: T; how: Call['how'] } {
  outcome = 'own'
  const answer = begin()
  return { answer, how: outcome }
}

const isStaleSince = (key: string, from: number): boolean => (staleAt.get(key) ?? 0) >= from

const GIVEN_UP = 'given up'
const pending = new Set<Omit<Call, 'to'>>()

async function ask(
  method: string,
  key: string,
  begin: () => Promise<Value | undefined>,
  together?: readonly string[],
): Promise<void> {
  const from = now()
  const { answer, how: begun } = noteHow(begin)
  const call = { process: name, key, method, from, how: begun, together }
  pending.add(call)
  try {
    const value = await answer
    const how = isStaleSince(key, from) ? 'memory' : call.how
    see('calls', { ...call, how, to: now(), version: value?.version, of: value?.key })
  } catch (error) {
    see('calls', { ...call, to: now(), error: error === GIVEN_UP ? undefined : String(error) })
  }
  pending.delete(call)
}

const anyKey = (): string => `key ${Math.floor(random.uniform() ** 2 * keys)}`

async function askSomehow(): Promise<void> {
  const key = anyKey()
  const chance = random.uniform()
  if (chance < 0.05) return ask('get', key, () => inMemory(cache.peek(key) !== undefined, cache.get<Value>(key)))
  if (chance < 0.1) return ask('peek', key, () => inMemory(true, Promise.resolve(cache.peek<Value>(key))))
  if (chance < 0.15)
    return askMany([...new Set([key, anyKey(), anyKey()])].filter((each) => tagOf(each) === tagOf(key)))
  const forced = chance < 0.16
  const options: { forceFresh?: true; tags: string[]; signal?: AbortSignal } = { tags: [tagOf(key)] }
  if (forced) options.forceFresh = true
  if (chance > 0.97) {
    const controller = new AbortController()
    options.signal = controller.signal
    setTimeout(() => controller.abort(GIVEN_UP), between(0, 40))
  }
  await ask(forced ? FORCED : 'getOrRefill', key, () =>
    cache.getOrRefill(key, ({ signal }) => loadOne(key, forced, signal), options),
  )
}

function inMemory(is: boolean, answer: Promise<Value | undefined>): Promise<Value | undefined> {
  if (is) outcome = 'memory'
  return answer
}

/** Each key counts as one call. How it is answered cannot be told: that one joined may hide behind one that did not. */
async function askMany(several: readonly string[]): Promise<void> {
  const loader = async (
    missing: readonly string[],
    { signal }: { signal: AbortSignal },
  ): Promise<Map<string, Value>> => {
    const values = await load(missing, false, signal)
    return new Map(values.map((value) => [value.key, value]))
  }
  const answer = cache.getOrRefillMany(several, loader, { tags: [...new Set(several.map(tagOf))] })
  await Promise.all(
    several.map((key) =>
      ask(
        'getOrRefillMany',
        key,
        () => {
          outcome = 'joined'
          return answer.then((values) => values.get(key))
        },
        several,
      ),
    ),
  )
}

const allKeys = [...Array.from({ length: keys }, (_, i) => `key ${i}`), ...streamKeys]
const tagOf = (key: string): string => `tag ${Number(key.split(' ')[1]) % places}`
const ownTag = `tag ${place}`
const ownKeys = allKeys.filter((key) => tagOf(key) === ownTag)
const changing = new Set<string>()

/**
 * The origin changes, then the cache is told, as often as it takes. Each key is changed by one process, and one change
 * after the other: of two that set at once nobody could say which comes last.
 */
async function change(): Promise<void> {
  const chance = random.uniform()
  const changed = chance < 0.1 ? ownKeys : [ownKeys[Math.floor(random.uniform() * ownKeys.length)] as string]
  if (changed.some((key) => changing.has(key))) return
  for (const key of changed) changing.add(key)
  const from = now()
  // Told before it is done: it may be done, and its process killed before it can say so.
  const versions = await Promise.all(changed.map((key) => origin.incr(`version:${key}`)))
  const told = (isDone: boolean): void => {
    const change = { process: name, from, to: now(), isDone }
    changed.forEach((key, i) => see('changes', { ...change, key, version: versions[i] as number }))
  }
  told(false)
  tell()
  const [key] = changed as [string]
  const value = streamKeys.includes(key)
    ? chunksOf(key, versions[0] as number)
    : { key, version: versions[0] as number }
  const carryOut =
    changed.length > 1
      ? () => cache.invalidateTags(ownTag)
      : chance < 0.55
        ? () => cache.set(key, value, { tags: [ownTag] })
        : () => cache.invalidate(key)
  while (!(await succeeds(carryOut))) await pause(50)
  told(true)
  for (const each of changed) changing.delete(each)
  // Whoever hears of this must have heard of the change.
  const marks = changed.map((each, i) => `heard:${each}:${versions[i]}`)
  await succeeds(() => cache.invalidate(marks))
}

/** A stream as `set` stores it. */
function chunksOf(key: string, version: number): Chunk[] {
  const of = lengthOf(key)
  return Array.from({ length: of }, (_, number) => ({ run: `set ${version}`, since: 0, number, of, version }))
}

function succeeds(action: () => Promise<void>): Promise<boolean> {
  return action().then(
    () => true,
    () => false,
  )
}

let running = true
async function caller(): Promise<void> {
  while (running) {
    if (random.uniform() < 0.04) await change()
    else await askSomehow()
    await pause(between(0, 30))
  }
}

const streams = new StreamUser({
  ...{ cache, name, now, pause, between, noteHow, tagOf, leaseAskedAt },
  // A stream that is replayed while it is produced anew is not told apart.
  mayBeStale: setup.mayBeStale,
  versionOf: async (key) => Number((await origin.get(`version:${key}`)) ?? 0),
  seeReading: (reading) => see('readings', reading),
  seeLoad(load) {
    see('loads', load)
    if (load.failed) tell()
  },
})
async function reader(): Promise<void> {
  while (running) {
    await streams.read()
    await pause(between(0, 30))
  }
}

ready()
const done = Promise.all([
  ...Array.from({ length: setup.callers }, caller),
  ...Array.from({ length: setup.readers }, reader),
])
await parent.next('stop')
running = false
await Promise.race([done, pause(20_000)])
for (const call of pending) see('calls', { ...call, to: null })
for (const reading of streams.pending) see('readings', reading)
clearInterval(telling)
tell()
await Promise.race([cache.close(), pause(5000)])
parent.send({ type: 'over' })
