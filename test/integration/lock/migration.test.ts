import { expect, it, onTestFinished } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { startRedis } from '../../support/redis-server.ts'
import { startWorkers, stopWorkers } from '../../support/workers.ts'

const PROCESSES = 4
const KEY = 'migrated'

it('moves a lock from one Redis to another under load, process by process, and never has two holders', async () => {
  const [old, next, counters] = await Promise.all([startRedis(), startRedis(), startRedis()])
  const workers = await startWorkers('lock-loop', PROCESSES, [counters.url, KEY])
  onTestFinished(async () => {
    await stopWorkers(workers)
    await Promise.all([old, next, counters].map((server) => server.stop()))
  })

  /** One process after the other changes over; between them the lock must have gone round for a while. */
  async function changeOver(urls: string[]): Promise<void> {
    for (const worker of workers) {
      worker.send({ type: 'use', urls })
      await worker.next('uses')
      await goRound()
    }
  }
  async function goRound(): Promise<void> {
    const released = async (): Promise<number> =>
      Number(/cmdstat_incr:calls=(\d+)/.exec(String(await counters.command('INFO', 'commandstats')))?.[1] ?? 0)
    const before = await released()
    await eventually('the lock goes round', async () => (await released()) - before > 30)
  }

  await changeOver([old.url])
  await changeOver([old.url, next.url])
  await changeOver([next.url])
  expect(await old.command('EXISTS', KEY)).toBe(0)

  for (const worker of workers) worker.send({ type: 'use', urls: [] })
  for (const worker of workers) {
    expect(await worker.next('result')).toMatchObject({ mostHolders: 1, errors: [] })
  }
  expect(await next.command('EXISTS', KEY)).toBe(0)
})
