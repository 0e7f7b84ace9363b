import { describe, expect, it } from 'vitest'
import type { Bounds } from './bounds.ts'
import { check, FORCED } from './checker.ts'
import type { Call, Change, Fault, Hearing, History, Load, Piece, Reading } from './history.ts'

const BOUNDS: Bounds = { longestCall: 1000, longestWait: 300, grace: 5000, recovery: 500, longestLoad: 100 }
const KEY = 'key'

const history = (parts: Partial<History>): History => ({
  ...{ calls: [], loads: [], readings: [], changes: [], hearings: [], lapses: [], stalls: [], faults: [] },
  ...parts,
})
const call = (from: number, version: number | undefined, more: Partial<Call> = {}): Call => ({
  ...{
    process: 'a',
    key: KEY,
    method: 'getOrRefill',
    from,
    to: from + 10,
    how: 'own',
    of: version === undefined ? undefined : KEY,
    version,
  },
  ...more,
})
const load = (process: string, from: number, to: number, more: Partial<Load> = {}): Load => ({
  ...{ process, key: KEY, claimedAt: from, from, to, failed: false, forced: false },
  ...more,
})
const change = (version: number, from: number, to: number, more: Partial<Change> = {}): Change => ({
  ...{ process: 'b', key: KEY, version, from, to, isDone: true },
  ...more,
})
const hearing = (version: number, at: number): Hearing => ({ process: 'a', key: KEY, version, at })
const fault = (from: number, to: number, more: Partial<Fault> = {}): Fault => ({
  ...{ kind: 'partition', from, to, harms: true },
  ...more,
})
const complaints = (parts: Partial<History>): string[] =>
  check(history(parts), BOUNDS).wrong.map((each) => each.split(':', 1)[0] as string)

describe('fresh', () => {
  const changes = [change(1, 0, 10), change(2, 100, 110)]

  it.each(['memory', 'joined', 'own'] as const)('refuses what is older than a change that was heard of (%s)', (how) => {
    const hearings = [hearing(1, 20), hearing(2, 120)]
    expect(complaints({ changes, hearings, calls: [call(121, 1, { how })] })).toEqual(['fresh'])
    expect(complaints({ changes, hearings, calls: [call(121, 2, { how })] })).toEqual([])
    expect(complaints({ changes, hearings, calls: [call(121, 3, { how })] })).toEqual([])
  })

  it('lets a process have from memory what it has not heard of yet', () => {
    const hearings = [hearing(1, 20), hearing(2, 200)]
    expect(complaints({ changes, hearings, calls: [call(150, 1, { how: 'memory' })] })).toEqual([])
    expect(complaints({ changes, hearings, calls: [call(150, 1, { how: 'joined' })] })).toEqual([])
    expect(complaints({ changes, hearings, calls: [call(150, 0, { how: 'memory' })] })).toEqual(['fresh'])
  })

  it('does not let an older message make it forget what it knew', () => {
    const hearings = [hearing(2, 120), hearing(1, 130)]
    expect(complaints({ changes, hearings, calls: [call(140, 1, { how: 'memory' })] })).toEqual(['fresh'])
  })

  it('binds whoever has made the change, from when it was done', () => {
    expect(complaints({ changes, calls: [call(111, 1, { process: 'b', how: 'memory' })] })).toEqual(['fresh'])
    expect(complaints({ changes, calls: [call(109, 1, { process: 'b', how: 'memory' })] })).toEqual([])
  })

  it('refuses what has been old for longer than grace, heard of or not', () => {
    expect(complaints({ changes, calls: [call(5111, 1, { how: 'memory' })] })).toEqual(['fresh'])
    expect(complaints({ changes, calls: [call(5109, 1, { how: 'memory' })] })).toEqual([])
  })

  it('looks at each key and each process for itself', () => {
    const hearings = [
      { ...hearing(2, 120), key: 'another' },
      { ...hearing(2, 120), process: 'c' },
    ]
    expect(complaints({ changes, hearings, calls: [call(150, 1, { how: 'memory' })] })).toEqual([])
  })
})

describe('resurrection', () => {
  it('refuses what is older than a change that was done before, to whoever found nothing in memory', () => {
    const changes = [change(1, 0, 10)]
    expect(complaints({ changes, calls: [call(11, 0)] })).toEqual(['resurrection'])
    expect(complaints({ changes, calls: [call(9, 0)] })).toEqual([])
  })

  it('expects nothing of a change that may not have been carried out', () => {
    const changes = [change(1, 0, 10, { isDone: false })]
    expect(complaints({ changes, calls: [call(11, 0)] })).toEqual([])
  })
})

describe('a failover', () => {
  const changes = [change(1, 0, 10), change(2, 5000, 5010)]
  const failover = (from: number, to: number): Fault => fault(from, to, { kind: 'failover', loses: true })

  it('may lose what was done meanwhile, or just before, and nothing else', () => {
    const hearings = [hearing(1, 20), hearing(2, 5015)]
    for (const faults of [[failover(5005, 5100)], [failover(5400, 5500)]]) {
      expect(complaints({ changes, hearings, faults, calls: [call(5600, 1)] })).toEqual([])
      expect(complaints({ changes, hearings, faults, calls: [call(5600, 0)] })).toEqual(['fresh'])
    }
    for (const faults of [[failover(5600, 5700)], [failover(4000, 4100)]]) {
      expect(complaints({ changes, hearings, faults, calls: [call(5800, 1)] })).toEqual(['fresh'])
    }
  })
})

describe('one load', () => {
  const twice = [load('a', 0, 100), load('b', 50, 150)]

  it('refuses two at a time', () => {
    expect(complaints({ loads: twice })).toEqual(['one load'])
    expect(complaints({ loads: twice.toReversed() })).toEqual(['one load'])
    expect(complaints({ loads: [load('a', 0, 100), load('a', 50, 60)] })).toEqual(['one load'])
  })

  it('takes one after the other, and those of different keys', () => {
    expect(complaints({ loads: [load('a', 0, 100), load('b', 100, 150)] })).toEqual([])
    expect(complaints({ loads: [load('a', 0, 100), load('b', 50, 150, { key: 'another' })] })).toEqual([])
  })

  it('refuses each of several', () => {
    expect(complaints({ loads: [load('a', 0, 100), load('b', 10, 20), load('c', 30, 40)] })).toHaveLength(2)
  })

  it.each<[string, Partial<History>]>([
    ['a change in between', { changes: [change(1, 20, 30)] }],
    ['a change that goes on', { changes: [change(1, -50, 500)] }],
    ['a fault of one of them', { faults: [fault(10, 20, { process: 'a' })] }],
    ['a fault of the other', { faults: [fault(10, 20, { process: 'b' })] }],
    ['a fault of all', { faults: [fault(10, 20)] }],
    ['one of which they recover', { faults: [fault(-400, -300)] }],
    ['a stall', { stalls: [{ from: 10, to: 20 }] }],
    ['a call that forces a load, and is given up', { calls: [call(-500, undefined, { method: FORCED })] }],
    ['a lost lease', { lapses: [{ process: 'a', key: KEY, at: 40 }] }],
  ])('excuses %s', (_, parts) => {
    expect(complaints({ loads: twice, ...parts })).toEqual([])
  })

  it('excuses a forced call whose claim a fault has held back', () => {
    const calls = [call(-1500, undefined, { method: FORCED, process: 'c' })]
    expect(complaints({ loads: twice, calls })).toEqual(['one load'])
    expect(complaints({ loads: twice, calls, faults: [fault(-1600, -500, { process: 'c' })] })).toEqual([])
    expect(complaints({ loads: twice, calls, faults: [fault(-1600, -500, { process: 'd' })] })).toEqual(['one load'])
  })

  it('excuses a change that was done between the claim and the load', () => {
    const changes = [change(1, -30, -10)]
    expect(complaints({ changes, loads: [load('a', 0, 100, { claimedAt: -15 }), load('b', 50, 150)] })).toEqual([])
    expect(complaints({ changes, loads: [load('a', 0, 100, { claimedAt: -5 }), load('b', 50, 150)] })).toEqual([
      'one load',
    ])
  })

  it('excuses a change since the claim of the one that has begun later', () => {
    const changes = [change(1, -30, -10)]
    const loads = (claimedAt: number): Load[] => [load('a', 0, 100), load('b', 50, 150, { claimedAt })]
    expect(complaints({ changes, loads: loads(-15) })).toEqual([])
    expect(complaints({ changes, loads: loads(-5) })).toEqual(['one load'])
  })

  it.each<[string, Partial<History>]>([
    ['a change after both had begun', { changes: [change(1, 60, 70)] }],
    ['a change before', { changes: [change(1, -20, -10)] }],
    ['a change of another key', { changes: [change(1, 20, 30, { key: 'another' })] }],
    ['a fault of a third', { faults: [fault(10, 20, { process: 'c' })] }],
    ['one that does no harm', { faults: [fault(10, 20, { harms: false })] }],
    ['one that is long over', { faults: [fault(-2000, -1000)] }],
    ['a lease of another key', { lapses: [{ process: 'a', key: 'another', at: 40 }] }],
  ])('does not excuse %s', (_, parts) => {
    expect(complaints({ loads: twice, ...parts })).toEqual(['one load'])
  })

  it('lets forced loads run beside others', () => {
    expect(complaints({ loads: [load('a', 0, 100), load('b', 50, 150, { forced: true })] })).toEqual([])
  })

  it('counts what nothing excused from being alone', () => {
    const { judged } = check(history({ loads: [...twice, load('a', 5000, 5010)], faults: [fault(0, 200)] }), BOUNDS)
    expect(judged).toMatchObject({ loads: 3, exclusive: 1 })
  })
})

describe('end', () => {
  it('refuses a call that was never answered, and one that was too late', () => {
    expect(complaints({ calls: [call(0, undefined, { to: null })] })).toEqual(['end'])
    expect(complaints({ calls: [call(0, 1, { to: 1001 })] })).toEqual(['end'])
    expect(complaints({ calls: [call(0, 1, { to: 1000 })] })).toEqual([])
  })

  it('takes off what its process was stopped for, and nothing else', () => {
    const calls = [call(0, 1, { to: 1500 })]
    expect(complaints({ calls, faults: [fault(100, 700, { process: 'a', froze: true })] })).toEqual([])
    expect(complaints({ calls, faults: [fault(100, 700, { process: 'b', froze: true })] })).toEqual(['end'])
    expect(complaints({ calls, faults: [fault(100, 700, { process: 'a' })] })).toEqual(['end'])
  })

  it('refuses the value of another key', () => {
    expect(complaints({ calls: [call(0, 1, { of: 'another' })] })).toEqual(['end'])
  })

  it('refuses errors that no failed load explains', () => {
    const failed = call(0, undefined, { error: 'LoaderError: no' })
    expect(complaints({ calls: [failed] })).toEqual(['end'])
    expect(complaints({ calls: [failed], loads: [load('b', 0, 5)] })).toEqual(['end'])
    expect(complaints({ calls: [failed], loads: [load('b', 0, 5, { failed: true })] })).toEqual([])
    expect(complaints({ calls: [failed], faults: [fault(-10, 2, { process: 'b', silenced: true })] })).toEqual([])
    expect(complaints({ calls: [failed], faults: [fault(-10, 2, { process: 'b' })] })).toEqual(['end'])
    const other = call(0, undefined, { error: 'WaitTimeoutError: no' })
    expect(complaints({ calls: [other], loads: [load('b', 0, 5, { failed: true })] })).toEqual(['end'])
  })

  it('knows that of keys that are asked for together one fails all', () => {
    const failed = call(0, undefined, { error: 'LoaderError: no', together: [KEY, 'another'] })
    expect(complaints({ calls: [failed], loads: [load('b', 0, 5, { failed: true, key: 'another' })] })).toEqual([])
  })
})

describe('streams', () => {
  const piece = (run: string, number: number, more: Partial<Piece> = {}): Piece => ({
    ...{ run, number, since: 0, of: 4, version: 1, at: 100 + number },
    ...more,
  })
  const run = (name: string, ...numbers: number[]): Piece[] => numbers.map((number) => piece(name, number))
  const resumed = (name: string, since: number): Piece[] =>
    run(name, 0, 1, 2, 3)
      .slice(since)
      .map((each) => ({ ...each, since }))
  const reading = (pieces: Piece[], more: Partial<Reading> = {}): Reading => ({
    ...{ process: 'a', key: KEY, from: 90, to: 110, how: 'own', resumes: true, pieces },
    end: pieces.length === 4 ? 'whole' : 'left',
    ...more,
  })
  const said = (...readings: Reading[]): string[] => complaints({ readings })

  it('takes a copy of one run, and the beginning of one', () => {
    expect(said(reading(run('one', 0, 1, 2, 3)), reading(run('one', 0, 1)), reading([]))).toEqual([])
  })

  it.each<[string, number[]]>([
    ['is missing', [0, 2, 3]],
    ['is missing at the beginning', [1, 2, 3]],
    ['is there twice', [0, 1, 1, 2, 3]],
    ['comes before another', [0, 2, 1, 3]],
  ])('refuses a chunk that %s', (_, numbers) => {
    expect(said(reading(run('one', ...numbers), { end: 'left' }))).toContain('order')
  })

  it('refuses the chunks of two producers, unless one goes on where the other has ended', () => {
    expect(said(reading([...run('one', 0, 1), ...run('two', 2, 3)]))).toEqual(['one producer'])
    expect(said(reading([...run('one', 0, 1), ...resumed('two', 2)]))).toEqual([])
    expect(said(reading([...run('one', 0, 1, 2), ...resumed('two', 2).slice(1)]))).toEqual(['one producer'])
    expect(said(reading([...run('one', 0, 1), ...resumed('two', 2)], { resumes: false }))).toEqual(['one producer'])
  })

  it('refuses two pasts of one run', () => {
    const one = reading([...run('one', 0, 1), ...resumed('two', 2)])
    expect(said(one, one, reading(run('one', 0, 1, 2, 3)))).toEqual([])
    expect(said(one, reading([...run('other', 0, 1), ...resumed('two', 2)]))).toEqual(['one past'])
  })

  it('refuses an end before the last chunk, and chunks after it', () => {
    expect(said(reading(run('one', 0, 1), { end: 'whole' }))).toEqual(['whole'])
    expect(said(reading([], { end: 'whole' }))).toEqual(['whole'])
    expect(said(reading(run('one', 0, 1, 2, 3, 4), { end: 'left' }))).toEqual(['whole'])
  })

  it('refuses what never ends, and every wait that is too long', () => {
    expect(said(reading(run('one', 0, 1), { to: null, end: undefined }))).toEqual(['end'])
    const waits = (at: number): Reading => reading([piece('one', 0), piece('one', 1, { at })], { to: at })
    expect(said(waits(400))).toEqual([])
    expect(said(waits(401))).toEqual(['end'])
    expect(said(reading([], { to: 400 }))).toEqual(['end'])
    expect(said(reading(run('one', 0), { to: 500 }))).toEqual(['end'])
  })

  it('takes off a wait what its process was stopped for, and nothing else', () => {
    const readings = [reading([], { to: 500 })]
    expect(complaints({ readings, faults: [fault(100, 300, { process: 'a', froze: true })] })).toEqual([])
    expect(complaints({ readings, faults: [fault(100, 300, { process: 'b', froze: true })] })).toEqual(['end'])
  })

  it('refuses a lost producer where nobody was in trouble', () => {
    const readings = [reading(run('one', 0), { end: undefined, error: 'ProducerLostError: gone' })]
    expect(complaints({ readings })).toEqual(['end'])
    expect(complaints({ readings, faults: [fault(-300, -100, { process: 'b' })] })).toEqual([])
    expect(complaints({ readings, faults: [fault(-1500, -1000, { process: 'b' })] })).toEqual(['end'])
    expect(complaints({ readings, faults: [fault(0, 50, { harms: false })] })).toEqual(['end'])
  })

  it('refuses an error that no failed producer explains', () => {
    const readings = [reading(run('one', 0), { end: undefined, error: 'RefillFailedError: no' })]
    expect(complaints({ readings, loads: [load('b', 50, 100)] })).toEqual(['end'])
    expect(complaints({ readings, loads: [load('b', 50, 100, { failed: true })] })).toEqual([])
    const other = [reading([], { end: undefined, error: 'TypeError: no' })]
    expect(complaints({ readings: other, loads: [load('b', 50, 100, { failed: true })] })).toEqual(['end'])
  })

  it('refuses a beginning that is older than a change', () => {
    const changes = [change(2, 0, 80)]
    const readings = [reading(run('one', 0, 1))]
    expect(complaints({ readings, changes })).toEqual(['resurrection'])
    expect(complaints({ readings: [{ ...readings[0], from: 79 } as Reading], changes })).toEqual([])
    const joined = [reading(run('one', 0, 1), { how: 'joined' })]
    expect(complaints({ readings: joined, changes })).toEqual([])
    expect(complaints({ readings: joined, changes, hearings: [hearing(2, 85)] })).toEqual(['fresh'])
  })

  it('refuses two producers at a time', () => {
    const loads = [load('a', 0, 100), load('b', 50, 150)]
    expect(complaints({ loads, readings: [reading(run('one', 0))] })).toEqual(['one load'])
  })

  it('excuses a producer that has heard of a change meanwhile, though that was made before: of a stream, not of a load', () => {
    const loads = [load('a', 0, 100), load('b', 50, 150)]
    const parts = { loads, changes: [change(1, -30, -10)] }
    const readings = [reading(run('one', 0))]
    expect(complaints({ ...parts, readings, hearings: [hearing(1, 20)] })).toEqual([])
    expect(complaints({ ...parts, readings, hearings: [hearing(1, -5)] })).toEqual(['one load'])
    expect(complaints({ ...parts, hearings: [hearing(1, 20)] })).toEqual(['one load'])
  })
})
