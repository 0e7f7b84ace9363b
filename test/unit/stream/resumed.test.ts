import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Resumption } from '../../../src/stream/frames.ts'
import { goesOn, nameOf } from '../../../src/stream/resumed.ts'

const resumed = (...froms: (number | [from: number, by: string])[]): Resumption[] =>
  froms.map((each, i) =>
    typeof each === 'number' ? { from: each, by: `producer ${i}` } : { from: each[0], by: each[1] },
  )
const headOf = (...froms: (number | [from: number, by: string])[]) => ({
  ...{ run: 'one', beganAt: 1 },
  resumptions: resumed(...froms),
})
const known = { run: 'one', length: 5, resumptions: resumed(3) }

test.each([
  ['the same run', known, headOf(3), true, 'one'],
  ['one that was resumed behind what is known', known, headOf(3, 5), true, 'one'],
  ['one that was resumed before that', known, headOf(3, 4), false, 'one from 4'],
  ['one that was resumed before that, and once more', known, headOf(3, 4, 9), false, 'one from 4'],
  ['one that another producer has resumed there', known, headOf([3, 'another']), false, 'one from 3'],
  ['one that another producer has resumed later, and was again', known, headOf([4, 'another'], 9), false, 'one from 3'],
  ['one that has lost its resumption', known, headOf(), false, 'one from 3'],
  [
    'one that the same producer resumed twice, once without effect',
    known,
    headOf([4, 'producer 0']),
    false,
    'one from 3',
  ],
  ['another run', { ...known, run: 'two' }, headOf(3, 4), false, 'one'],
])('%s', (_, what, head, isGoingOn, name) => {
  expect(goesOn(what, head)).toBe(isGoingOn)
  expect(nameOf(head, what)).toBe(name)
})

test('a run of which nothing is known has its own name', () => {
  expect(nameOf(headOf(3), undefined)).toBe('one')
})

/** A master appends and is resumed; its replica lags behind, and is the master after a failover. */
type Step = 'append' | 'resume' | 'copy' | 'fail over'

test('what a reader has had is never mixed with other chunks, whatever failovers lose', () => {
  const steps = fc.array(fc.constantFrom<Step>('append', 'append', 'resume', 'copy', 'fail over'), { maxLength: 40 })
  fc.assert(
    fc.property(steps, fc.nat(40), (taken, readAt) => {
      let producers = 0
      let master = { chunks: [] as string[], resumptions: [] as Resumption[], by: 'first' }
      let replica = { ...master }
      let read: { chunks: readonly string[]; resumptions: readonly Resumption[] } | undefined
      for (const [at, step] of taken.entries()) {
        if (step === 'append') master = { ...master, chunks: [...master.chunks, `${master.by} ${at}`] }
        if (step === 'copy') replica = { ...master }
        if (step === 'fail over') master = { ...replica, by: master.by }
        if (step === 'resume' || step === 'fail over') {
          const by = `producer ${++producers}`
          master = { ...master, by, resumptions: [...master.resumptions, { from: master.chunks.length, by }] }
        }
        if (at === readAt) read = { chunks: master.chunks, resumptions: master.resumptions }
      }
      if (read === undefined) return
      const before = { run: 'one', length: read.chunks.length, resumptions: read.resumptions }
      const isContinued = read.chunks.every((chunk, i) => master.chunks[i] === chunk)
      const isTaken = goesOn(before, { run: 'one', beganAt: 1, resumptions: master.resumptions })
      expect(isTaken && !isContinued).toBe(false)
    }),
  )
})
