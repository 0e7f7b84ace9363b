import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Channel, channelTo } from './message-channel.ts'
import { ended, own } from './owned-process.ts'

/** A process that runs one file of `test/integration/workers/`, which speaks to us through `worker-side.ts`. */
export interface Worker extends Channel {
  readonly pid: number
  /** SIGKILL; resolves when the process has ended. */
  kill(): Promise<void>
  /** SIGSTOP: the process is frozen, its sockets stay open. */
  pause(): void
  /** SIGCONT. */
  resume(): void
  /** Resolves when the process has ended, with how. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

const WORKERS = new URL('../integration/workers/', import.meta.url)

/**
 * Starts `count` processes that run `test/integration/workers/<name>.ts` with `args`, and with `env` in addition to this
 * one's; resolves when each has called `ready()`. They end with the test process; a test that is done with them earlier stops them with `stopWorkers`.
 */
export async function startWorkers(
  name: string,
  count: number,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Worker[]> {
  return Promise.all(Array.from({ length: count }, () => startWorker(name, args, env)))
}

async function startWorker(name: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Worker> {
  const file = fileURLToPath(new URL(`${name}.ts`, WORKERS))
  const child = own(fork(file, args, { execArgv: ['--import', 'tsx'], env: { ...process.env, ...env } }))
  const channel = channelTo(child, `worker ${name} (pid ${child.pid})`)
  await channel.next('ready')
  return {
    ...channel,
    pid: child.pid as number,
    async kill() {
      child.kill('SIGKILL')
      await ended(child)
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    exited: ended(child),
  }
}

export async function stopWorkers(workers: readonly Worker[]): Promise<void> {
  await Promise.all(workers.map((worker) => worker.kill()))
}
