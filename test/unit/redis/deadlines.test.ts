import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { type Deadline, Deadlines } from '../../../src/redis/deadlines.ts'
import { collectGarbage } from '../../support/collect-garbage.ts'
import { FakeClock } from '../../support/fake-clock.ts'

/** Deadlines 100 ms away, and the names of those that were missed. */
function setUp() {
  const clock = new FakeClock()
  const deadlines = new Deadlines(clock, 100, { hearsOut: true })
  const missed: string[] = []
  const set = (name: string) => deadlines.set({ missed: () => void missed.push(name) })
  return { clock, deadlines, missed, set }
}

it('tells of each that was missed at its own instant', async () => {
  const { clock, missed, set } = setUp()
  set('first')
  await clock.advance(60)
  set('second')
  await clock.advance(39)
  expect(missed).toEqual([])
  await clock.advance(1)
  expect(missed).toEqual(['first'])
  await clock.advance(59)
  expect(missed).toEqual(['first'])
  await clock.advance(1)
  expect(missed).toEqual(['first', 'second'])
})

it('says nothing of those that were met, in whatever order', async () => {
  const { clock, deadlines, missed, set } = setUp()
  const first = set('first')
  const second = set('second')
  set('third')
  deadlines.meet(second)
  deadlines.meet(first)
  await clock.advance(100)
  expect(missed).toEqual(['third'])
})

it('keeps nothing of those that were met, also behind one that is not', async () => {
  const { deadlines, set } = setUp()
  set('waits')
  const kept = ((): WeakRef<object> => {
    const value = { reply: 'of a megabyte' }
    deadlines.meet(deadlines.set({ missed: () => void value }))
    return new WeakRef(value)
  })()
  await nextTurn()
  collectGarbage()
  expect(kept.deref()).toBeUndefined()
})

it('has one timer, which keeps no process alive, and none once nothing is waited for', async () => {
  const { clock, deadlines, set } = setUp()
  for (let i = 0; i < 1000; i++) deadlines.meet(set('met'))
  set('missed')
  expect(clock.pendingTimers).toBe(1)
  expect(clock.pendingKeepAliveTimers).toBe(0)
  await clock.advance(100)
  expect(clock.pendingTimers).toBe(0)
  await clock.advance(1000)
  deadlines.meet(set('later'))
  expect(clock.pendingTimers).toBe(1)
})

it('counts one as met that is met right after the event loop was blocked', async () => {
  const { clock, deadlines, missed, set } = setUp()
  const late = set('late')
  clock.setImmediate(() => deadlines.meet(late)) // a reply that had arrived by then
  await clock.block(500)
  expect(missed).toEqual([])
})

it('keeps the process alive, if it is to, while one is neither met nor missed, and has no timer after that', async () => {
  const { clock, missed } = setUp()
  const deadlines = new Deadlines(clock, 100, { keepsAlive: true })
  const [first, second] = ['first', 'second'].map((name) => deadlines.set({ missed: () => void missed.push(name) }))
  expect(clock.pendingKeepAliveTimers).toBe(1)
  deadlines.meet(first as Deadline)
  await clock.settle()
  expect(clock.pendingKeepAliveTimers).toBe(1)
  deadlines.meet(second as Deadline)
  deadlines.meet(deadlines.set({ missed: () => void missed.push('third') })) // in the same turn, with the same timer
  expect(clock.pendingTimers).toBe(1)
  await clock.settle()
  expect(clock.pendingTimers).toBe(0)
  deadlines.set({ missed: () => void missed.push('fourth') })
  await clock.advance(100)
  expect(missed).toEqual(['fourth'])
  expect(clock.pendingTimers).toBe(0)
})

it('forgets one from among others', async () => {
  const { clock, deadlines, missed, set } = setUp()
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(set) as [Deadline, Deadline, Deadline, Deadline]
  for (const met of [b, d, d]) deadlines.meet(met)
  set('e')
  deadlines.meet(a)
  await clock.advance(100)
  expect(missed).toEqual(['c', 'e'])
  deadlines.meet(c) // too late
  set('f')
  await clock.advance(100)
  expect(missed).toEqual(['c', 'e', 'f'])
})
