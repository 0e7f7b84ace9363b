import { afterEach, describe, expect, test } from 'vitest'
import { LIBRARIES } from '../support/clients-by-library.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'
import { startWorkers, stopWorkers, type Worker } from '../support/workers.ts'

const CALLERS = 100
const LOAD_TIME = 200
const LOCK_TTL = 1000

describe('a herd of 4 processes with 100 callers each, every process with another client', () => {
  const redis = sharedRedis()
  let workers: Worker[] = []
  afterEach(() => stopWorkers(workers))

  async function startHerd(): Promise<{ prefix: string; runs: (key: string) => Promise<number> }> {
    const prefix = uniquePrefix('herd')
    const started = LIBRARIES.map((library) => startWorkers('herd', 1, [redis.url, prefix, library]))
    workers = (await Promise.all(started)).flat()
    return { prefix, runs: async (key) => Number(await redis.command('GET', `${prefix}:runs:${key}`)) }
  }

  function callAll(call: Record<string, unknown>): Promise<Answer[]> {
    return Promise.all(
      workers.map((worker) => {
        worker.send({ type: 'call', callers: CALLERS, loadTime: LOAD_TIME, ...call })
        return worker.next('answered') as unknown as Promise<Answer>
      }),
    )
  }

  test('runs the loader of a cold key once in all, and gives everyone its value', async () => {
    const { runs } = await startHerd()
    const answers = await callAll({ key: 'cold' })
    expect(await runs('cold')).toBe(1)
    expect(new Set(answers.flatMap((answer) => answer.values)).size).toBe(1)
    expect(answers.reduce((sum, answer) => sum + answer.count, 0)).toBe(LIBRARIES.length * CALLERS)
  })

  test('with a stale value nobody waits for the loader, which runs once in all', async () => {
    const { runs } = await startHerd()
    const [first] = await callAll({ key: 'stale', ttl: 1 })
    const answers = await callAll({ key: 'stale', loadTime: 2000 })
    for (const answer of answers) {
      expect(answer.values).toEqual(first?.values)
      expect(answer.took).toBeLessThan(1000)
    }
    await expect.poll(() => runs('stale')).toBe(2) // it begins when its callers have been served
  })

  test('when the leader is killed in its loader, one successor loads and everyone else is answered', async () => {
    const { runs } = await startHerd()
    const [leader, ...others] = workers as [Worker, ...Worker[]]
    leader.send({ type: 'call', key: 'killed', callers: CALLERS, loadTime: 'for ever' })
    await leader.next('loading')
    const answers = others.map((worker) => {
      worker.send({ type: 'call', key: 'killed', callers: CALLERS, loadTime: 0 })
      return worker.next('answered') as unknown as Promise<Answer>
    })
    await leader.kill()
    for (const answer of await Promise.all(answers)) {
      expect(answer.values).toEqual([expect.stringMatching(/run 2$/)])
      expect(answer.took).toBeLessThan(LOCK_TTL + 1000)
    }
    expect(await runs('killed')).toBe(2)
  })
})

interface Answer {
  values: string[]
  count: number
  /** ms */
  took: number
}
