import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { own } from '../../test/support/owned-process.ts'
import type { FleetOrder, Heard } from './fleet-worker.ts'

const FILE = fileURLToPath(new URL('fleet-worker.ts', import.meta.url))
/** Members of one worker. */
const MOST = 2500

/** Many processes of an application, as far as Redis can tell. */
export class Fleet {
  readonly #workers: readonly ChildProcess[]

  private constructor(workers: readonly ChildProcess[]) {
    this.#workers = workers
  }

  /** `ports`: of a Redis, or of the masters of a Cluster, over which they spread. */
  static async open(size: number, ports: readonly number[]): Promise<Fleet> {
    const firsts = Array.from({ length: Math.ceil(size / MOST) }, (_, n) => n * MOST)
    const workers = firsts.map(() => own(fork(FILE, { execArgv: ['--import', 'tsx'] })))
    for (const [n, worker] of workers.entries()) {
      const first = firsts[n] as number
      await obey(worker, { do: 'open', ports, first, count: Math.min(MOST, size - first) })
    }
    return new Fleet(workers)
  }

  async all(order: FleetOrder): Promise<unknown[]> {
    return Promise.all(this.#workers.map((worker) => obey(worker, order)))
  }

  /** What all members together have heard since the last time. */
  async heard(): Promise<Heard> {
    const parts = (await this.all({ do: 'heard' })) as Heard[]
    const sum = (of: (heard: Heard) => number): number => parts.reduce((total, part) => total + of(part), 0)
    return {
      messages: sum(({ messages }) => messages),
      bytes: sum(({ bytes }) => bytes),
      looks: sum(({ looks }) => looks),
      lastAt: Math.max(...parts.map(({ lastAt }) => lastAt)),
    }
  }

  async close(): Promise<void> {
    const ended = this.#workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)))
    for (const worker of this.#workers) worker.kill('SIGKILL')
    await Promise.all(ended)
  }
}

function obey(worker: ChildProcess, order: FleetOrder): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once('message', ({ answer, error }: { answer?: unknown; error?: string }) => {
      if (error === undefined) resolve(answer)
      else reject(new Error(error))
    })
    worker.send(order)
  })
}
