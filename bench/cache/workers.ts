import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { own } from '../../test/support/owned-process.ts'
import type { Contender, Setup } from './contender.ts'
import type { Order } from './worker.ts'

/** Compiled: what strips types on the fly also names closures, which costs those who make many. */
const FILE = fileURLToPath(new URL('dist/cache/worker.js', import.meta.url))

interface Answer {
  readonly answer?: unknown
  readonly error?: string
}

const started = new Set<ChildProcess>()

/** Ends all processes, also those of a part that has failed. */
export function endWorkers(): void {
  for (const child of started) child.kill('SIGKILL')
}

/** A process of one contender. */
export class Worker {
  readonly #child: ChildProcess
  /** Settles the order that is being obeyed. */
  #settle: (answer: Answer) => void = () => {}

  constructor(execArgv: readonly string[] = []) {
    this.#child = own(fork(FILE, { execArgv: [...execArgv] }))
    started.add(this.#child)
    this.#child.on('message', (answer: Answer) => this.#settle(answer))
    this.#child.once('exit', (code, signal) => this.#settle({ error: `a worker ended with ${code ?? signal}` }))
  }

  async obey<T = void>(order: Order): Promise<T> {
    const answered = new Promise<Answer>((resolve) => (this.#settle = resolve))
    this.#child.send(order)
    const { answer, error } = await answered
    if (error !== undefined) throw new Error(`${JSON.stringify(order).slice(0, 200)}: ${error}`)
    return answer as T
  }

  end(): void {
    started.delete(this.#child)
    this.#child.kill('SIGKILL')
  }
}

export type Work = Partial<Omit<Setup, 'load'>> & { size?: number; loadTime?: number }

/** A process with `contender` open in it. */
export async function startWorker(contender: Contender, work: Work, execArgv?: readonly string[]): Promise<Worker> {
  const { size = 0, loadTime = 0, ...setup } = work
  const worker = new Worker(execArgv)
  await worker.obey({ do: 'open', contender: contender.name, setup: setupOf(setup), size, loadTime })
  return worker
}

export function setupOf(setup: Partial<Omit<Setup, 'load'>>): Omit<Setup, 'load'> {
  return { url: undefined, memory: true, maxEntries: 10_000, ttl: 3_600_000, stale: 0, bytes: false, ...setup }
}

/** Keys of one contender, which share none with another's. */
export function keysOf(contenders: readonly Contender[], contender: Contender, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `c${contenders.indexOf(contender)}:user:${index}`)
}
