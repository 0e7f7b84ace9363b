import { describe, expect, it } from 'vitest'
import type { Clock } from '../../../src/clock.ts'
import { Batches } from '../../../src/redis/batches.ts'
import { deferred, type Deferred } from '../../support/deferred.ts'
import { FakeClock } from '../../support/fake-clock.ts'

function recorder(largest = 3, size?: number, clock?: Clock) {
  const sent: number[][] = []
  const answers: Deferred<void>[] = []
  const batches = new Batches<number>({
    send(batch) {
      sent.push([...batch])
      const answer = deferred<void>()
      answers.push(answer)
      return answer.promise
    },
    largest: () => largest,
    ...(size === undefined ? {} : { size: { of: (item) => item, largest: size } }),
    ...(clock === undefined ? {} : { gathering: { ms: 2, clock } }),
  })
  return { sent, answers, batches }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('Batches that gather', () => {
  it('let one after the other leave at once', async () => {
    const { sent, answers, batches } = recorder(3, undefined, new FakeClock())
    for (const item of [1, 2, 3]) {
      batches.add(item)
      expect(sent.at(-1)).toEqual([item])
      answers.at(-1)?.resolve()
      await nextTurn()
    }
  })

  it('keep what comes while one is under way until that is answered', async () => {
    const clock = new FakeClock()
    const { sent, answers, batches } = recorder(9, undefined, clock)
    for (const item of [1, 2]) batches.add(item)
    await nextTurn()
    batches.add(3)
    await nextTurn()
    expect(sent).toEqual([[1]])
    answers[0]?.resolve()
    await nextTurn()
    expect(sent).toEqual([[1], [2, 3]])
    await clock.advance(10)
    expect(sent).toHaveLength(2)
  })

  it('keep it so many ms at most, counted from the first of them', async () => {
    const clock = new FakeClock()
    const { sent, batches } = recorder(9, undefined, clock)
    for (const item of [1, 2]) batches.add(item)
    await nextTurn()
    await clock.advance(1)
    batches.add(3)
    await nextTurn()
    expect(sent).toEqual([[1]])
    await clock.advance(1)
    expect(sent).toEqual([[1], [2, 3]])
  })

  it('keep nothing where each item is a batch by itself', async () => {
    const { sent, batches } = recorder(1, undefined, new FakeClock())
    for (const item of [1, 2, 3]) batches.add(item)
    await nextTurn()
    expect(sent).toEqual([[1], [2], [3]])
  })
})

describe('Batches', () => {
  it('sends one that comes alone at once, and gathers the rest of its turn', async () => {
    const { sent, batches } = recorder()
    batches.add(1)
    expect(sent).toEqual([[1]])
    batches.add(2)
    await Promise.resolve()
    batches.add(3)
    expect(sent).toEqual([[1]])
    await nextTurn()
    expect(sent).toEqual([[1], [2, 3]])
  })

  it('waits for company where there was some in the last turn', async () => {
    const { sent, answers, batches } = recorder()
    for (const item of [1, 2, 3]) batches.add(item)
    await nextTurn()
    for (const answer of answers) answer.resolve()
    await nextTurn()
    batches.add(4)
    expect(sent).toEqual([[1], [2, 3]])
    await nextTurn()
    expect(sent).toEqual([[1], [2, 3], [4]])
  })

  it('keeps batches within their bounds, and only so many under way', async () => {
    const { sent, answers, batches } = recorder()
    for (let item = 0; item < 20; item++) batches.add(item)
    await nextTurn()
    expect(sent).toEqual([[0], [1, 2, 3], [4, 5, 6], [7, 8, 9]])
    answers[0]?.resolve()
    await nextTurn()
    expect(sent).toHaveLength(5)
    batches.add(20)
    await nextTurn()
    expect(sent).toHaveLength(5)
    for (let i = 1; i < 8; i++) {
      answers[i]?.resolve()
      await nextTurn()
    }
    expect(sent.flat()).toEqual(Array.from({ length: 21 }, (_, item) => item))
  })

  it('bounds the bytes of a batch, but for one that is larger alone', async () => {
    const { sent, batches } = recorder(10, 100)
    for (const bytes of [1, 60, 60, 500, 10, 10]) batches.add(bytes)
    await nextTurn()
    expect(sent).toEqual([[1], [60, 60], [500], [10, 10]])
  })

  it('has many under way where each travels for itself', async () => {
    const { sent, batches } = recorder(1)
    for (let item = 0; item < 600; item++) batches.add(item)
    await nextTurn()
    expect(sent).toHaveLength(500)
  })
})
