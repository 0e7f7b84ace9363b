import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { own } from './owned-process.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** A program of this repository that runs as a process of its own. */
export interface Program {
  readonly pid: number
  /** What it has printed so far. */
  readonly output: string
  readonly errors: string
  /** Resolves with the first line of output that contains `text`; rejects when it ends without one. */
  line(text: string): Promise<string>
  /** Sends it a signal. */
  kill(signal: NodeJS.Signals): void
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  /** Whether it or a process that it has started still runs. */
  isAlive(): boolean
}

/**
 * Starts a TypeScript program, which may import herdlock by its name if that has been built. Values of `env` that are
 * undefined are taken out of the environment.
 */
export async function runProgram(
  file: string,
  args: readonly string[] = [],
  env: Record<string, string | undefined> = {},
): Promise<Program> {
  await access(`${ROOT}dist/index.js`).catch(() => {
    throw new Error('dist/ is missing: npm run build')
  })
  const child = own(
    spawn(process.execPath, ['--import', 'tsx', file, ...args], {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a process group of its own, by which `isAlive` finds what it leaves behind
    }),
  )
  let output = ''
  let errors = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  // `close` comes after `exit`, when all output has been read.
  const exited = once(child, 'close').then(([code, signal]) => ({ code, signal }) as Awaited<Program['exited']>)
  return {
    pid: child.pid as number,
    get output() {
      return output
    },
    get errors() {
      return errors
    },
    line: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = output.split('\n').find((line, index, lines) => index < lines.length - 1 && line.includes(text))
          if (found !== undefined) resolve(found)
        }
        look()
        child.stdout.on('data', look)
        child.stdout.once('end', () => reject(new Error(`${file} ended without "${text}"\n${output}\n${errors}`)))
      }),
    kill: (signal) => void child.kill(signal),
    exited,
    isAlive() {
      try {
        return process.kill(-(child.pid as number), 0)
      } catch {
        return false
      }
    },
  }
}
