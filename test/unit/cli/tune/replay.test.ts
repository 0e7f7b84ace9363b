import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCacheOn } from '../../../../src/cache/create-cache.ts'
import { advisedTtl, replayAll } from '../../../../src/cli/tune/grid.ts'
import { Recorder, type Recording } from '../../../../src/cli/tune/recording.ts'
import { replayHerdlock, replayPlain, type Windows } from '../../../../src/cli/tune/replay.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { FakeRandom } from '../../../support/fake-random.ts'

interface Request {
  readonly at: number
  readonly key: string
  readonly load: number
}

function recordingOf(requests: readonly Request[], more: { bytes?: number; isKept?: boolean } = {}): Recording {
  const recorder = new Recorder()
  for (const request of requests) recorder.add({ bytes: 0, isKept: true, ...more, ...request })
  return recorder.finish(0)
}

/** What the cache itself makes of the same requests. */
async function throughTheCache(requests: readonly Request[], windows: Windows) {
  const clock = new FakeClock()
  const start = clock.now()
  const cache = createCacheOn(windows, clock, new FakeRandom())
  let loads = 0
  const answers: Promise<unknown>[] = []
  for (const { at, key, load } of requests) {
    await clock.advance(start + at - clock.now())
    const loader = (): Promise<number> => {
      loads++
      return new Promise((resolve) => void clock.setTimeout(() => resolve(1), load))
    }
    answers.push(cache.getOrRefill(key, loader))
    await clock.settle()
  }
  await clock.advance(10_000)
  await Promise.all(answers)
  const { staleHits, misses, coalesced } = cache.stats()
  await cache.close()
  return { loads, stale: staleHits, waited: misses + coalesced }
}

/** Instants, loads and windows never meet: which of two things of one millisecond is first is nobody's promise. */
const requests = fc
  .array(
    fc.record({
      gap: fc.integer({ min: 1, max: 40 }),
      key: fc.constantFrom('a', 'b'),
      load: fc.integer({ min: 0, max: 15 }),
    }),
    {
      minLength: 1,
      maxLength: 60,
    },
  )
  .map((gaps) => {
    let at = 0
    return gaps.map(({ gap, key, load }, index) => ({
      at: index === 0 ? 0 : (at += gap * 10),
      key,
      load: load * 10 + 5,
    }))
  })
const windows = fc.record({
  ttl: fc.integer({ min: 1, max: 40 }).map((tens) => tens * 10),
  staleWhileRevalidate: fc.integer({ min: 0, max: 40 }).map((tens) => tens * 10),
})

describe('a replay with herdlock', () => {
  it('comes to what the cache itself does', async () => {
    await fc.assert(
      fc.asyncProperty(requests, windows, async (asked, each) => {
        const { loads, stale, waited } = replayHerdlock(recordingOf(asked), each)
        expect({ loads, stale, waited }).toEqual(await throughTheCache(asked, each))
      }),
      { numRuns: 60 },
    )
  }, 60_000)

  it('keeps nothing that may not be kept', () => {
    const asked = [0, 10, 200].map((at) => ({ at, key: 'a', load: 100 }))
    const recording = recordingOf(asked, { isKept: false, bytes: 5 })
    expect(replayHerdlock(recording, { ttl: 1000, staleWhileRevalidate: 0 })).toEqual({
      ...{ loads: 2, stale: 0, waited: 3, herd: 1, bytes: 10 },
    })
  })
})

describe('a replay without', () => {
  const herd = [0, 10, 20, 30, 300].map((at) => ({ at, key: 'a', load: 100 }))

  it('has everybody load who finds nothing fresh', () => {
    expect(replayPlain(recordingOf(herd, { bytes: 5 }), 1000, 1)).toEqual({
      ...{ loads: 4, stale: 0, waited: 4, herd: 4, bytes: 20 },
    })
  })

  it('has a cache in each process', () => {
    const calm = [0, 200, 400, 600, 800].map((at) => ({ at, key: 'a', load: 100 }))
    expect(replayPlain(recordingOf(calm), 10_000, 1).loads).toBe(1)
    expect(replayPlain(recordingOf(calm), 10_000, 4).loads).toBe(4)
  })
})

describe('a recording', () => {
  it('is put into the order of time, from its first request on', () => {
    const { at, key, span } = recordingOf([
      { at: 5005, key: 'a', load: 1 },
      { at: 5001, key: 'b', load: 1 },
    ])
    expect([[...at], [...key], span]).toEqual([[0, 4], [1, 0], 4])
  })

  it('spreads whole seconds', () => {
    const seconds = [1000, 1000, 1000, 1000, 3000]
    const { at, isSpread } = recordingOf(seconds.map((each) => ({ at: each, key: 'a', load: 1 })))
    expect([[...at], isSpread]).toEqual([[0, 250, 500, 750, 2000], true])
  })
})

describe('the advice', () => {
  const axes = { stales: [0], processes: [1] }
  const every = (ms: number) =>
    recordingOf(Array.from({ length: 1000 }, (_, index) => ({ at: index * ms + 1, key: 'a', load: 1 })))

  it('is the shortest ttl that does nearly what the longest does', () => {
    const recording = every(10)
    const cells = replayAll(recording, { ...axes, ttls: [10_000, 1000, 50] }, () => {})
    expect(cells.map((cell) => [cell.with, cell.ttl, cell.loads])).toContainEqual(['herdlock', 1000, 10])
    expect(advisedTtl(cells, recording.length)).toBe(1000)
  })

  it('is none where no ttl spares a load', () => {
    const recording = every(60_000)
    expect(
      advisedTtl(
        replayAll(recording, { ...axes, ttls: [100, 1000] }, () => {}),
        recording.length,
      ),
    ).toBeUndefined()
  })
})
