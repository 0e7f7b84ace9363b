import { readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { findModelChecker, MODEL_CHECKER_START } from '../support/model-checker.ts'
import { table } from './table.ts'
import { questionsOf, type Question } from './questions.ts'
import { search } from './spin.ts'

/** Seconds that one search may take; a busy machine needs several times what a quiet one does. */
const SECONDS = 120

beforeAll(() => findModelChecker(console.log), MODEL_CHECKER_START)

describe('the model of the protocol', () => {
  test.each(questionsOf(table, [], true))(
    '$name $expected: $about',
    async (question) => {
      const { verdict, complaint } = await search(question, { seconds: SECONDS })
      expect({ verdict, complaint }).toEqual({ verdict: question.expected, complaint: expect.any(String) })
    },
    2 * SECONDS * 1000,
  )
})

test(
  'the steps to a broken promise are shown, one line a turn',
  async () => {
    const [question] = questionsOf(table, ['M_LASTKEPT'], false)
    const { trace } = await search(question as Question, { seconds: SECONDS, traced: true })
    const turns = trace.split('\n')
    expect(turns.find((turn) => turn.startsWith('Flight('))).toContain('req[0]=[CLAIM,')
    expect(turns.find((turn) => turn.startsWith('Inval('))).toContain('req[1]=[DEL_,100,')
    expect(turns.filter((turn) => turn.startsWith('spin: ')).join()).toContain('assertion violated')
  },
  2 * SECONDS * 1000,
)

describe('the table of checks', () => {
  test('every mutation and every possibility of the model is in it', async () => {
    const files = ['herd.pml', 'slots.pml', 'streams.pml'].map((file) =>
      readFile(new URL(file, import.meta.url), 'utf8'),
    )
    const model = (await Promise.all(files)).join()
    const inModel = new Set([...model.matchAll(/\b[MP]_[A-Z]+\b/g)].map(([name]) => name))
    expect([...inModel].toSorted()).toEqual(
      [...Object.keys(table.mutations), ...Object.keys(table.possibilities)].toSorted(),
    )
  })

  test('an unknown name is refused with the names that there are', () => {
    expect(() => questionsOf(table, ['gaps'], false)).toThrow(/no check gaps; there are invalidate, /)
  })

  test('names choose, and so does quick', () => {
    expect(questionsOf(table, ['gap', 'M_GHOST'], false).map(({ name }) => name)).toEqual(['gap', 'M_GHOST'])
    expect(questionsOf(table, ['gap', 'expire'], true).map(({ name }) => name)).toEqual(['expire'])
  })
})
