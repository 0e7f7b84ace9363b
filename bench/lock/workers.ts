import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Order } from './worker.ts'

const FILE = fileURLToPath(new URL('worker.ts', import.meta.url))

/** A process of one contender. */
export class Worker {
  readonly #child: ChildProcess

  constructor() {
    this.#child = fork(FILE, { execArgv: ['--import', 'tsx'] })
  }

  async obey<T = void>(order: Order): Promise<T> {
    this.#child.send(order)
    const [{ answer, error }] = (await once(this.#child, 'message')) as [{ answer: T; error?: string }]
    if (error !== undefined) throw new Error(error)
    return answer
  }

  end(): void {
    this.#child.kill('SIGKILL')
  }
}

/** `count` processes, connected as `contender`. */
export async function startWorkers(contender: string, url: string, count: number): Promise<Worker[]> {
  const workers = Array.from({ length: count }, () => new Worker())
  await Promise.all(workers.map((worker) => worker.obey({ do: 'connect', contender, url })))
  return workers
}
