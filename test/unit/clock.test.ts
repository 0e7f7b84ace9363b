import fc from 'fast-check'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { atEndOfTurn, MAX_DELAY, MonotonicTime, systemClock, type Clock, type FakeTime } from '../../src/clock.ts'
import { deferred } from '../support/deferred.ts'

/** A host whose clocks the test moves. */
class Host {
  /** ms since its start in which it was awake, and asleep. */
  awake = 5000
  asleep = 0
  wallJumps = 0
  fake: Fake | undefined
  uptimeReads = 0
  hasUptime = true

  readonly time: MonotonicTime

  constructor() {
    this.time = new MonotonicTime({
      monotonic: () => this.awake,
      uptime: () => {
        this.uptimeReads++
        return this.hasUptime ? this.awake + this.asleep : Number.NaN
      },
      wall: () => 1e12 + this.awake + this.asleep + this.wallJumps,
      fakeTime: () => this.fake,
    })
  }
}

class Fake implements FakeTime {
  passed = 0
  readonly performance = { now: (): number => this.passed }
}

describe('the time', () => {
  it('is that of the monotonic clock, whatever the wall clock does', () => {
    const host = new Host()
    const start = host.time.now()
    for (const jump of [3_600_000, -7_200_000, 999, 1e15]) {
      host.wallJumps += jump
      host.awake += 10
    }
    expect(host.time.now() - start).toBe(40)
  })

  it('reads the uptime only when the wall clock has moved', () => {
    const host = new Host()
    const reads = host.uptimeReads
    for (let ms = 0; ms < 10_000; ms++) {
      host.awake++
      host.time.now()
    }
    expect(host.uptimeReads).toBe(reads)
    host.wallJumps += 5000
    host.time.now()
    host.time.now()
    expect(host.uptimeReads).toBe(reads + 1)
  })

  it('counts the time that the host has slept, from the first reading after it', () => {
    const host = new Host()
    const start = host.time.now()
    host.asleep += 60_000
    const woken = host.time.now()
    expect(woken - start).toBeGreaterThanOrEqual(60_000)
    expect(woken - start).toBeLessThan(60_100)
    host.awake += 500
    expect(host.time.now() - woken).toBe(500)
    host.asleep += 3_600_000
    host.wallJumps -= 7_200_000
    expect(host.time.now() - woken).toBeGreaterThanOrEqual(3_600_500)
  })

  it('counts many short sleeps together', () => {
    const host = new Host()
    const start = host.time.now()
    for (let nap = 0; nap < 10; nap++) {
      host.asleep += 400
      host.time.now()
    }
    expect(host.time.now() - start).toBeGreaterThanOrEqual(3000)
  })

  it('takes no jump for sleep where the uptime is not known', () => {
    const host = new Host()
    host.hasUptime = false
    const start = host.time.now()
    host.wallJumps += 3_600_000
    host.awake += 7
    expect(host.time.now() - start).toBe(7)
  })

  it('is that of fake timers while they are installed', () => {
    const host = new Host()
    const start = host.time.now()
    host.fake = new Fake()
    expect(host.time.now()).toBe(start)
    host.awake += 1000
    expect(host.time.now()).toBe(start)
    host.fake.passed += 250
    expect(host.time.now() - start).toBe(250)
    host.fake.passed = 0 // as by clock.reset()
    expect(host.time.now() - start).toBe(250)
  })

  it('adds what had passed in either time where fake timers are met late', () => {
    const host = new Host()
    const start = host.time.now()
    host.awake += 300
    host.fake = new Fake()
    host.fake.passed += 40
    expect(host.time.now() - start).toBe(340)
  })

  it('goes on in real time after fake timers, and forgets neither time', () => {
    const host = new Host()
    const start = host.time.now()
    const fake = (host.fake = new Fake())
    host.time.now()
    fake.passed += 5000
    host.fake = undefined
    expect(host.time.now() - start).toBe(5000)
    host.awake += 300
    expect(host.time.now() - start).toBe(5300)
    host.fake = new Fake()
    host.time.now()
    host.awake += 60_000 // in which the fake timers stand still
    host.fake = undefined
    expect(host.time.now() - start).toBe(65_300)
  })

  it('adds the real time since the last reading where the end of fake timers is met late', () => {
    const host = new Host()
    const start = host.time.now()
    const fake = (host.fake = new Fake())
    fake.passed += 10_000
    expect(host.time.now() - start).toBe(10_000)
    host.fake = undefined
    host.awake += 1000
    expect(host.time.now() - start).toBe(11_000)
  })

  it('tells when it was last moved by fake timers', () => {
    const host = new Host()
    host.asleep += 60_000
    host.time.now()
    expect(host.time.movedAt()).toBe(-Infinity)
    const fake = (host.fake = new Fake())
    const installed = host.time.now()
    expect(host.time.movedAt()).toBe(installed)
    host.awake += 10
    host.time.now()
    expect(host.time.movedAt()).toBe(installed)
    fake.passed += 10
    expect(host.time.now()).toBe(installed + 10)
    expect(host.time.movedAt()).toBe(installed + 10)
    host.awake += 1000
    host.fake = undefined
    const removed = host.time.now()
    host.awake += 10
    host.time.now()
    expect(host.time.movedAt()).toBe(removed)
  })

  it('never goes back, and no span of it is shorter than it was', () => {
    const step = fc.oneof(
      fc.record({ real: fc.nat(5000) }),
      fc.record({ fake: fc.nat(5000) }),
      fc.record({ sleep: fc.nat(5000) }),
      fc.constantFrom('install', 'remove', 'read', 'read', 'jump'),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const host = new Host()
        let last = host.time.now()
        let real = 0
        let fake = 0
        let isMet = false
        const tooShort: object[] = []
        for (const each of steps) {
          if (each === 'install' || each === 'remove') {
            if (!isMet) fake = 0 // of fake timers that came and went between two readings nobody knows
            isMet = false
            host.fake = each === 'install' ? new Fake() : undefined
          } else if (each === 'jump') host.wallJumps += 1e6
          else if (each === 'read') {
            const now = host.time.now()
            // Sleep of less than a second may still be missing, and under fake timers real time does not count.
            const least = host.fake === undefined ? Math.max(real, fake) : fake
            if (now - last < least) tooShort.push({ span: now - last, least })
            isMet = true
            last = now
            real = 0
            fake = 0
          } else if ('real' in each) {
            host.awake += each.real
            real += each.real
          } else if ('sleep' in each) host.asleep += each.sleep
          else if (host.fake !== undefined) {
            host.fake.passed += each.fake
            fake += each.fake
          }
        }
        expect(tooShort).toEqual([])
      }),
    )
  })
})

describe('systemClock', () => {
  it('cuts a delay that Node would fire at once, and cancels it', async () => {
    for (const delay of [MAX_DELAY + 1, 2 ** 53, Infinity]) {
      let fired = false
      const timer = systemClock.setTimeout(() => (fired = true), delay)
      const later = deferred()
      systemClock.setTimeout(later.resolve, 5)
      await later.promise
      expect(fired).toBe(false)
      timer.cancel()
    }
  })

  it('takes a time that has passed for now, without a warning', async () => {
    const set = vi.spyOn(globalThis, 'setTimeout')
    onTestFinished(() => set.mockRestore())
    await new Promise<void>((resolve) => systemClock.setTimeout(resolve, -1.5))
    expect(set.mock.calls.map(([, delay]) => delay)).toEqual([0])
  })

  it('does not fire what was cancelled', async () => {
    let fired = false
    systemClock.setTimeout(() => (fired = true), 1).cancel()
    const later = deferred()
    systemClock.setTimeout(later.resolve, 5)
    await later.promise
    expect(fired).toBe(false)
  })

  it('keeps a process alive with a timer only where that is wanted', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const before = timers()
    const quiet = systemClock.setTimeout(() => {}, 1000, { keepAlive: false })
    expect(timers()).toBe(before)
    const loud = systemClock.setTimeout(() => {}, 1000)
    expect(timers()).toBe(before + 1)
    quiet.cancel()
    loud.cancel()
    expect(timers()).toBe(before)
  })

  it('has a monotonic now that the wall clock does not move', () => {
    const DateNow = Date.now
    try {
      const before = systemClock.now()
      Date.now = () => DateNow() + 3_600_000
      expect(systemClock.now() - before).toBeLessThan(1000)
      expect(systemClock.wallNow() - DateNow()).toBeGreaterThan(3_599_000)
    } finally {
      Date.now = DateNow
    }
  })

  it('has a coarse now that never runs ahead, and lags no more than about a millisecond between turns', async () => {
    for (let turn = 0; turn < 50; turn++) {
      let coarse = systemClock.coarseNow()
      for (let read = 0; read < 50; read++) coarse = systemClock.coarseNow()
      expect(coarse).toBeLessThanOrEqual(systemClock.now())
      const later = deferred()
      systemClock.setTimeout(later.resolve, 3)
      await later.promise
      const before = systemClock.now()
      // Whatever turn reads it after the pause sees a reading made after the pause began.
      expect(systemClock.coarseNow()).toBeGreaterThan(coarse)
      expect(before - systemClock.coarseNow()).toBeLessThan(3)
    }
  })

  it('runs an immediate after input that is pending', async () => {
    const order: string[] = []
    const done = deferred()
    systemClock.setImmediate(() => {
      order.push('immediate')
      done.resolve()
    })
    queueMicrotask(() => order.push('microtask'))
    await done.promise
    expect(order).toEqual(['microtask', 'immediate'])
  })
})

const FAKED = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate'] as const
const ALL_FAKED = [...FAKED, 'Date', 'performance', 'hrtime', 'queueMicrotask'] as const
/** Node's own, whatever is installed. */
const realTimeout = setTimeout
const realPause = (ms: number): Promise<void> => new Promise((resolve) => realTimeout(resolve, ms))

let copies = 0
/** The clock as a process has it that loads it under fake timers. */
async function loadedUnderFakes(): Promise<Clock> {
  vi.useFakeTimers({ toFake: [...ALL_FAKED] })
  const specifier = `../../src/clock.ts?${copies++}`
  return ((await import(specifier)) as { systemClock: Clock }).systemClock
}

describe.each(['before', 'under'])('a clock that was loaded %s fake timers', (loaded) => {
  afterEach(() => void vi.useRealTimers())

  async function load(): Promise<Clock> {
    if (loaded === 'under') return loadedUnderFakes()
    systemClock.coarseNow() // as one that is in use
    vi.useFakeTimers({ toFake: [...ALL_FAKED] })
    return systemClock
  }

  it('follows them, also from read to read', async () => {
    const clock = await load()
    const [now, coarse] = [clock.now(), clock.coarseNow()]
    await realPause(20)
    expect(clock.now()).toBe(now)
    vi.advanceTimersByTime(500)
    expect(clock.now() - now).toBeCloseTo(500)
    expect(clock.coarseNow() - coarse).toBe(500)
    for (let read = 0; read < 200; read++) {
      vi.advanceTimersByTime(1)
      expect(clock.coarseNow() - coarse).toBe(501 + read)
    }
  })

  it('goes on in real time once they are gone', async () => {
    const clock = await load()
    const start = clock.now()
    vi.advanceTimersByTime(10_000)
    clock.coarseNow()
    vi.useRealTimers()
    await realPause(30)
    expect(clock.now() - start).toBeGreaterThanOrEqual(10_029)
    const coarse = clock.coarseNow()
    await realPause(30)
    expect(clock.coarseNow() - coarse).toBeGreaterThanOrEqual(28)
    expect(clock.now() - start).toBeLessThan(15_000)
  })

  it('fires a timer when they say so, once', async () => {
    const clock = await load()
    let fired = 0
    const timer = clock.setTimeout(() => fired++, 1000)
    await realPause(30)
    vi.advanceTimersByTime(999)
    expect(fired).toBe(0)
    vi.advanceTimersByTime(1)
    expect(fired).toBe(1)
    vi.useRealTimers()
    await realPause(30)
    expect(fired).toBe(1)
    timer.cancel()
  })

  it('fires a timer that was set under them after its time once they are gone', async () => {
    const clock = await load()
    const fired = deferred<number>()
    const start = clock.now()
    clock.setTimeout(() => fired.resolve(clock.now() - start), 50, { keepAlive: false })
    vi.useRealTimers()
    expect(await fired.promise).toBeGreaterThanOrEqual(49)
  })

  it('keeps a timer through other fake timers', async () => {
    const clock = await load()
    let fired = 0
    clock.setTimeout(() => fired++, 1000)
    vi.useRealTimers()
    vi.useFakeTimers({ toFake: [...ALL_FAKED] })
    await expect.poll(() => (vi.advanceTimersByTime(100), fired), { interval: 5 }).toBe(1)
  })

  it('does not fire a timer that was cancelled, under them or after', async () => {
    const clock = await load()
    let fired = 0
    const timers = [5, 5, 5].map((delay) => clock.setTimeout(() => fired++, delay))
    timers[0]?.cancel()
    vi.useRealTimers()
    timers[1]?.cancel()
    await expect.poll(() => fired).toBe(1)
    await realPause(30)
    expect(fired).toBe(1)
    timers[2]?.cancel()
  })

  it('runs an immediate without them', async () => {
    const clock = await load()
    const done = deferred()
    clock.setImmediate(done.resolve)
    await done.promise
  })
})

it('cancels a real timer also while fake timers are installed', async () => {
  onTestFinished(() => void vi.useRealTimers())
  const warned = vi.spyOn(console, 'warn')
  onTestFinished(() => warned.mockRestore())
  let fired = false
  const timer = systemClock.setTimeout(() => (fired = true), 10)
  vi.useFakeTimers({ toFake: [...FAKED] })
  timer.cancel()
  await realPause(30)
  expect(fired).toBe(false)
  expect(warned).not.toHaveBeenCalled()
})

it('follows fake timers also where they leave performance alone', () => {
  onTestFinished(() => void vi.useRealTimers())
  vi.useFakeTimers({ toFake: [...FAKED, 'Date'] })
  const start = systemClock.now()
  vi.advanceTimersByTime(1000)
  expect(systemClock.now() - start).toBe(1000)
})

it('leaves time alone where only the date is faked', () => {
  onTestFinished(() => void vi.useRealTimers())
  vi.useFakeTimers({ toFake: ['Date'] })
  const start = systemClock.now()
  vi.setSystemTime(Date.now() + 1e9)
  expect(systemClock.now() - start).toBeLessThan(1000)
  expect(systemClock.wallNow()).toBe(Date.now())
})

it('fires a timer that was set under timers without a time, as those of jest were, once they are gone', async () => {
  const fired = deferred()
  const legacy = Object.assign(() => undefined, { _isMockFunction: true })
  globalThis.setTimeout = legacy as never
  try {
    systemClock.setTimeout(fired.resolve, 5, { keepAlive: false })
    const now = Math.floor(systemClock.now())
    expect(systemClock.coarseNow()).toBeGreaterThanOrEqual(now)
  } finally {
    globalThis.setTimeout = realTimeout
  }
  await fired.promise
})

describe('the end of a turn', () => {
  it('comes after the code and the promises that run now', async () => {
    const order: string[] = []
    const done = deferred()
    await Promise.resolve()
    atEndOfTurn(() => {
      order.push('end')
      done.resolve()
    })
    void Promise.resolve().then(() => order.push('promise'))
    order.push('code')
    await done.promise
    expect(order).toEqual(['code', 'promise', 'end'])
  })

  it('comes although nextTick is faked', async () => {
    const done = deferred()
    const { nextTick } = process
    process.nextTick = () => {}
    try {
      atEndOfTurn(done.resolve)
    } finally {
      process.nextTick = nextTick
    }
    await done.promise
  })

  it('comes where nextTick was faked when the clock was loaded', async () => {
    const order: string[] = []
    const marked = Object.assign(process.nextTick, { clock: {} }) as { clock?: unknown }
    let copy: { atEndOfTurn: typeof atEndOfTurn }
    try {
      const specifier = `../../src/clock.ts?${copies++}`
      copy = (await import(specifier)) as typeof copy
    } finally {
      delete marked.clock
    }
    expect(copy.atEndOfTurn).not.toBe(process.nextTick)
    const done = deferred()
    copy.atEndOfTurn(() => {
      order.push('end')
      done.resolve()
    })
    void Promise.resolve()
      .then(() => order.push('promise'))
      .then(() => order.push('another'))
    await done.promise
    expect(order).toEqual(['promise', 'another', 'end'])
  })
})
