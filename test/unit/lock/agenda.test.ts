import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Agenda, type Appointment } from '../../../src/lock/agenda.ts'
import { FakeClock } from '../../support/fake-clock.ts'

it('keeps appointments at their instants, on one timer however many they are', async () => {
  const clock = new FakeClock()
  const agenda = new Agenda(clock)
  const start = clock.now()
  const kept: number[] = []
  for (let index = 0; index < 5000; index++) agenda.add(start + ((index * 7919) % 5000), () => kept.push(clock.now()))
  expect(clock.pendingTimers).toBe(1)
  expect(clock.pendingKeepAliveTimers).toBe(0)
  await clock.advance(5000)
  expect(kept).toEqual(Array.from({ length: 5000 }, (_, index) => start + index))
  expect(clock.pendingTimers).toBe(0)
})

it('sets no timer anew for an appointment that is not the first', () => {
  const clock = new FakeClock()
  const agenda = new Agenda(clock)
  const first = agenda.add(clock.now() + 10, () => {})
  const second = agenda.add(clock.now() + 20, () => {})
  second.moveTo(clock.now() + 30)
  expect(clock.pendingTimers).toBe(1)
  first.cancel()
  second.cancel()
  second.cancel()
  expect(clock.pendingTimers).toBe(0)
  expect(agenda.size).toBe(0)
})

it('keeps those that a callback adds for an instant that has come', async () => {
  const clock = new FakeClock()
  const agenda = new Agenda(clock)
  const kept: string[] = []
  agenda.add(clock.now() + 1, () => {
    kept.push('first')
    agenda.add(clock.now(), () => kept.push('second'))
  })
  await clock.advance(1)
  expect(kept).toEqual(['first', 'second'])
})

it('does as a sorted list would, whatever is added, moved and cancelled', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), after: fc.nat(50) }),
    fc.record({ kind: fc.constant('move' as const), which: fc.nat(30), after: fc.nat(50) }),
    fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(30) }),
    fc.record({ kind: fc.constant('advance' as const), by: fc.nat(20) }),
  )
  const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
    const clock = new FakeClock()
    const agenda = new Agenda(clock)
    const made: Appointment[] = []
    const dueAt = new Map<number, number>()
    const expected: string[] = []
    const kept: string[] = []
    for (const { kind, ...rest } of steps as { kind: string; which?: number; after?: number; by?: number }[]) {
      const { which = 0, after = 0, by = 0 } = rest
      if (kind === 'add') {
        const index = made.length
        made.push(agenda.add(clock.now() + after, () => kept.push(`${index}@${clock.now()}`)))
        dueAt.set(index, clock.now() + after)
      } else if (kind === 'move') {
        made[which]?.moveTo(clock.now() + after)
        if (made[which] !== undefined) dueAt.set(which, clock.now() + after)
      } else if (kind === 'cancel') {
        made[which]?.cancel()
        dueAt.delete(which)
      } else {
        const until = clock.now() + by
        for (const [index, at] of dueAt) {
          if (at > until) continue
          expected.push(`${index}@${at}`)
          dueAt.delete(index)
        }
        await clock.advance(by)
      }
    }
    expect(kept.toSorted()).toEqual(expected.toSorted())
    expect(agenda.size).toBe(dueAt.size)
    expect(clock.pendingTimers).toBe(Math.min(dueAt.size, 1))
  })
  await fc.assert(property, { numRuns: 60 })
})

it('keeps an appointment within a second after the host has slept through it', async () => {
  const clock = new FakeClock()
  const agenda = new Agenda(clock)
  const start = clock.now()
  const kept: number[] = []
  agenda.add(start + 30_000, () => kept.push(clock.now() - start))
  agenda.add(start + 100_000, () => kept.push(clock.now() - start))
  await clock.advance(10_000)
  clock.sleep(60_000)
  await clock.advance(1000)
  expect(kept).toHaveLength(1)
  await clock.advance(100_000)
  expect(kept[1]).toBe(100_000)
})
