// oxlint-disable vitest/no-standalone-expect -- the model's steps assert as they go
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Cache } from '../../../src/cache/cache.ts'
import { createCacheOn } from '../../../src/cache/create-cache.ts'
import { deferred, type Deferred } from '../../support/deferred.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeRandom } from '../../support/fake-random.ts'

const TTL = 100
const STALE_WHILE_REVALIDATE = 100
const STALE_IF_ERROR = 5000
const KEYS = ['a', 'b'] as const
type Key = (typeof KEYS)[number]

/**
 * The model: what each key is known to hold, and which load is the one that new callers would join. It is a cache of
 * one page, without anything that makes the real one fast: no promises, no signals, no timers.
 */
interface ModelKey {
  entry: { value: string; freshUntil: number; retryAt: number; failures: number } | undefined
  load: ModelLoad | undefined
}

interface ModelLoad {
  readonly key: Key
  readonly result: Deferred<string>
  /** What was stale when it began, to be served should it fail. */
  readonly stale: ModelKey['entry']
  readonly callers: Call[]
  background: boolean
  /** The load's own signal, as the loader got it. */
  signal: AbortSignal
}

/** A call under way, and what it must come to. */
interface Call {
  readonly outcome: Promise<{ value: unknown } | { reason: unknown }>
  readonly controller: AbortController | undefined
  expected: { value: unknown } | { reason: unknown } | undefined
}

class World {
  readonly clock = new FakeClock()
  readonly cache: Cache = createCacheOn(
    { ttl: TTL, staleWhileRevalidate: STALE_WHILE_REVALIDATE, staleIfError: STALE_IF_ERROR },
    this.clock,
    new FakeRandom(),
  )
  readonly model = new Map<Key, ModelKey>(KEYS.map((key) => [key, { entry: undefined, load: undefined }]))
  readonly loads: ModelLoad[] = []
  readonly calls: Call[] = []
  /** Loads that the real cache has begun and the model has not claimed yet. */
  readonly begun: { key: Key; result: Deferred<string>; signal: AbortSignal }[] = []
  loaderRuns = 0
  sets = 0

  of(key: Key): ModelKey {
    return this.model.get(key) as ModelKey
  }

  get now(): number {
    return this.clock.now()
  }

  /** Calls the real cache; the model says what it must come to, now or when its load ends. */
  async call(key: Key, withSignal: boolean): Promise<void> {
    const controller = withSignal ? new AbortController() : undefined
    const answer = this.cache.getOrRefill<string>(
      key,
      ({ signal }) => {
        this.loaderRuns++
        const result = deferred<string>()
        this.begun.push({ key, result, signal })
        return result.promise
      },
      controller === undefined ? undefined : { signal: controller.signal },
    )
    const outcome = answer.then(
      (value) => ({ value }),
      (reason: unknown) => ({ reason }),
    )
    const call: Call = { outcome, controller, expected: undefined }
    this.calls.push(call)
    const state = this.of(key)
    const { entry, now } = { entry: state.entry, now: this.now }
    if (entry !== undefined && now < entry.freshUntil) {
      call.expected = { value: entry.value }
    } else if (entry !== undefined && this.isServedStale(entry)) {
      call.expected = { value: entry.value }
      if (now >= entry.retryAt && state.load === undefined) await this.begin(key, true)
    } else {
      if (state.load === undefined) await this.begin(key, false)
      state.load?.callers.push(call)
    }
    await this.clock.settle()
    expect(this.begun, 'no load that the model does not know').toEqual([])
  }

  isServedStale(entry: NonNullable<ModelKey['entry']>): boolean {
    const staleUntil = entry.freshUntil + STALE_WHILE_REVALIDATE
    const errorUntil = entry.freshUntil + STALE_IF_ERROR
    return this.now < staleUntil || (this.now < errorUntil && this.now < entry.retryAt)
  }

  /** The model says that a load begins: the real cache must have begun it. */
  async begin(key: Key, background: boolean): Promise<void> {
    await this.clock.settle()
    const real = this.begun.shift()
    if (real === undefined) throw new Error(`no load of ${key} has begun`)
    expect(real.key).toBe(key)
    const load: ModelLoad = {
      key,
      result: real.result,
      signal: real.signal,
      stale: this.of(key).entry,
      callers: [],
      background,
    }
    this.of(key).load = load
    this.loads.push(load)
  }

  async end(index: number, outcome: 'succeed' | 'fail'): Promise<void> {
    if (this.loads.length === 0) return
    const [load] = this.loads.splice(index % this.loads.length, 1) as [ModelLoad]
    const state = this.of(load.key)
    const isCurrent = state.load === load
    if (isCurrent) state.load = undefined
    if (outcome === 'succeed') {
      const value = `loaded ${this.loaderRuns}`
      load.result.resolve(value)
      if (isCurrent) state.entry = { value, freshUntil: this.now + TTL, retryAt: 0, failures: 0 }
      for (const call of load.callers) call.expected ??= { value }
    } else {
      const reason = new Error('failed')
      load.result.reject(reason)
      const { stale } = load
      const isUsable =
        stale !== undefined && this.now < stale.freshUntil + Math.max(STALE_WHILE_REVALIDATE, STALE_IF_ERROR)
      for (const call of load.callers) call.expected ??= isUsable ? { value: stale.value } : { reason }
      if (state.entry !== undefined) {
        state.entry.retryAt = this.now + Math.min(1000 * 2 ** state.entry.failures, 30_000)
        state.entry.failures++
      }
    }
    await this.clock.settle()
  }

  async abort(index: number): Promise<void> {
    const waiting = this.calls.filter((call) => call.controller !== undefined && call.expected === undefined)
    const call = waiting[index % Math.max(waiting.length, 1)]
    if (call === undefined) return
    const reason = new Error('left')
    call.controller?.abort(reason)
    call.expected = { reason }
    const load = this.loads.find(({ callers }) => callers.includes(call)) as ModelLoad
    // Callers without a signal never leave.
    const isWanted = load.background || load.callers.some((other) => other.expected === undefined || !other.controller)
    await this.clock.settle()
    expect(load.signal.aborted, 'the load ends with its last caller').toBe(!isWanted)
    if (isWanted) return
    this.loads.splice(this.loads.indexOf(load), 1)
    load.result.resolve('too late')
    const state = this.of(load.key)
    if (state.load === load) state.load = undefined
    // A load that nobody wants any more counts as failed for the pause before the next.
    if (state.entry !== undefined) {
      state.entry.retryAt = this.now + Math.min(1000 * 2 ** state.entry.failures, 30_000)
      state.entry.failures++
    }
    await this.clock.settle()
  }

  async invalidate(key: Key): Promise<void> {
    this.of(key).entry = undefined
    this.of(key).load = undefined
    await this.cache.invalidate(key)
  }

  async set(key: Key): Promise<void> {
    const value = `set ${++this.sets}`
    this.of(key).load = undefined
    this.of(key).entry = { value, freshUntil: this.now + TTL, retryAt: 0, failures: 0 }
    await this.cache.set(key, value)
  }

  /** Who comes now is served the old value, and its load begins at once. */
  async expire(key: Key): Promise<void> {
    const state = this.of(key)
    const { entry } = state
    if (entry !== undefined) {
      Object.assign(entry, { freshUntil: Math.min(entry.freshUntil, this.now), retryAt: 0, failures: 0 })
      if (this.now >= entry.freshUntil + Math.max(STALE_WHILE_REVALIDATE, STALE_IF_ERROR)) state.entry = undefined
    }
    state.load = undefined
    await this.cache.expire(key)
  }

  /** Whatever is decided is answered so, and nothing else is answered. */
  async check(): Promise<void> {
    await this.clock.settle()
    for (const { outcome, expected } of this.calls) {
      expect(await Promise.race([outcome, Promise.resolve(undefined)])).toEqual(expected)
    }
    for (const key of KEYS) {
      const { entry } = this.of(key)
      expect(this.cache.peek(key)).toBe(entry !== undefined && this.now < entry.freshUntil ? entry.value : undefined)
    }
    expect(this.cache.stats().flights).toBe(this.loads.length)
  }
}

const key = fc.constantFrom(...KEYS)
const step: fc.Arbitrary<{ say: string; run: (world: World) => Promise<void> }> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(key, fc.boolean()).map(([name, signal]) => ({
      say: `call ${name}${signal ? ' with a signal' : ''}`,
      run: (world: World) => world.call(name, signal),
    })),
  },
  {
    weight: 3,
    arbitrary: fc
      .nat(5)
      .map((index) => ({ say: `load ${index} succeeds`, run: (world: World) => world.end(index, 'succeed') })),
  },
  {
    weight: 2,
    arbitrary: fc
      .nat(5)
      .map((index) => ({ say: `load ${index} fails`, run: (world: World) => world.end(index, 'fail') })),
  },
  {
    weight: 2,
    arbitrary: fc.nat(5).map((index) => ({ say: `caller ${index} leaves`, run: (world: World) => world.abort(index) })),
  },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom(1, 50, 99, 100, 101, 250, 1000)
      .map((ms) => ({ say: `${ms} ms pass`, run: (world: World) => world.clock.advance(ms) })),
  },
  {
    weight: 1,
    arbitrary: key.map((name) => ({ say: `invalidate ${name}`, run: (world: World) => world.invalidate(name) })),
  },
  {
    weight: 1,
    arbitrary: key.map((name) => ({ say: `expire ${name}`, run: (world: World) => world.expire(name) })),
  },
  { weight: 1, arbitrary: key.map((name) => ({ say: `set ${name}`, run: (world: World) => world.set(name) })) },
)

describe('getOrRefill', () => {
  it('agrees with its model in whatever order callers come and leave, loads end, time passes and values change', async () => {
    // A failure prints its seed and the shrunk steps; MODEL_SEED runs it again.
    const seed = Number(process.env['MODEL_SEED'] ?? Date.now() % 2 ** 31)
    console.log(`model: seed ${seed}`)
    const steps = fc.array(step, { minLength: 5, maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(steps, async (path) => {
        const world = new World()
        for (const { run } of path) {
          await run(world)
          await world.check()
        }
        // In the end everything that was begun can end, and nothing is left.
        while (world.loads.length > 0) await world.end(0, 'succeed')
        await world.check()
        await world.cache.close()
        expect(world.clock.pendingTimers).toBe(0)
      }),
      { seed, numRuns: 400 },
    )
  }, 30_000)
})
