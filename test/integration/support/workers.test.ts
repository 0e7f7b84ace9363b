import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { startWorkers, stopWorkers } from '../../support/workers.ts'

it('talks to every worker, each a process of its own', async () => {
  const workers = await startWorkers('echo', 2, ['an argument'])
  onTestFinished(() => stopWorkers(workers))

  for (const worker of workers) worker.send({ type: 'say', text: `to ${worker.pid}` })
  for (const worker of workers) {
    expect(await worker.next('said')).toMatchObject({
      text: `to ${worker.pid}`,
      pid: worker.pid,
      args: ['an argument'],
    })
  }
  expect(new Set(workers.map((worker) => worker.pid)).size).toBe(2)
})

it('rejects those who wait for a killed worker', async () => {
  const [worker] = await startWorkers('echo', 1)
  if (!worker) throw new Error('no worker')
  const answer = worker.next('said')
  const outcome = expect(answer).rejects.toThrow('has gone')

  await worker.kill()
  await outcome
  expect(await worker.exited).toEqual({ code: null, signal: 'SIGKILL' })
})

it('freezes a worker and lets it go on', async () => {
  const workers = await startWorkers('echo', 2)
  onTestFinished(() => stopWorkers(workers))
  const [frozen, other] = workers
  if (!frozen || !other) throw new Error('no workers')

  frozen.pause()
  let answered = false
  frozen.send({ type: 'say', text: 'later' })
  const answer = frozen.next('said').finally(() => (answered = true))
  other.send({ type: 'say', text: 'now' })
  await other.next('said')
  expect(answered).toBe(false)

  frozen.resume()
  expect(await answer).toMatchObject({ text: 'later' })
})

it('ends what a killed test process has left behind', async () => {
  const script = fileURLToPath(new URL('../workers/owner.ts', import.meta.url))
  const owner = spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(owner.stdout, 'data')

  owner.kill('SIGKILL')
  // The process left behind writes to the same pipe: it closes when both have ended.
  await once(owner.stdout, 'close')
})
