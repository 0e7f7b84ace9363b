import { describe, expect, it } from 'vitest'
import { BatchAnswers } from '../../../../src/cache/refill/batch-answers.ts'

describe('BatchAnswers', () => {
  it('gives the values in the order of the keys, without those that are undefined', async () => {
    const answers = new BatchAnswers<number | undefined>(['a', 'b', 'c', 'd'])
    answers.settled(3, 4)
    answers.settled(1, undefined)
    answers.add(0, Promise.resolve(1))
    answers.settled(2, 3)
    expect([...(await answers.all)]).toEqual([
      ['a', 1],
      ['c', 3],
      ['d', 4],
    ])
  })

  it('rejects once all are answered, with the failure of the first key that failed', async () => {
    const answers = new BatchAnswers<number>(['a', 'b', 'c'])
    answers.failed(2, 'later')
    answers.add(1, Promise.reject('first' as unknown as Error))
    let isOver = false
    const all = answers.all.finally(() => (isOver = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(isOver).toBe(false)
    answers.settled(0, 1)
    await expect(all).rejects.toBe('first')
  })

  it('is empty at once without keys', async () => {
    expect(await new BatchAnswers([]).all).toEqual(new Map())
  })
})
