import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findModelChecker } from '../support/model-checker.ts'
import { own } from '../support/owned-process.ts'
import { shorten } from './trace.ts'

/** One configuration of the model, to be searched through. */
export interface Configuration {
  /** The file, `herd` if it is not named. */
  readonly model?: 'herd' | 'slots' | 'streams'
  /** Process starts that stand for the line CHANGES of the model's init. */
  readonly changes: string
  /** What is defined for it: `NVEXP=0`, `TAGS`, `M_GHOST`. */
  readonly defines: readonly string[]
  /** Promela that stands before `init`. */
  readonly more?: string
}

export interface Outcome {
  /** `incomplete`: no state broke a promise, but the time or the memory did not suffice for all. */
  readonly verdict: 'holds' | 'fails' | 'incomplete'
  readonly states: number
  /** Seconds that it took, compilation included. */
  readonly seconds: number
  /** What was broken; '' where nothing was. */
  readonly complaint: string
  /** The steps that lead there, if they were asked for. */
  readonly trace: string
}

/** MB for the states of one search. */
const MEMORY = 3500
/** Steps of the longest path. */
const DEPTH = 2_000_000

/** A checker that Spin has written and gcc compiled, in a folder of its own. */
export interface Checker {
  readonly folder: string
  /** Runs it; what it prints. `timeout`: ms after which it is ended, 0 for never. */
  check(args: readonly string[], timeout: number): Promise<string>
  /** The steps to what it has found last. */
  replay(): Promise<string>
  remove(): Promise<void>
}

interface Building {
  /** For short ways. */
  readonly traced?: boolean
  /** Optimized code searches twice as fast. To compile it takes some seconds more, which few states do not earn. */
  readonly optimized?: boolean
}

export async function build(
  { model: file = 'herd', changes, defines, more = '' }: Configuration,
  { traced = false, optimized = false }: Building = {},
): Promise<Checker> {
  const { spin, gcc } = await findModelChecker(console.log)
  const folder = await mkdtemp(join(tmpdir(), 'herdlock-model-'))
  const remove = (): Promise<void> => rm(folder, { recursive: true })
  const given = [...defines.map((define) => `-D${define}`), 'model.pml']
  try {
    const model = await readFile(new URL(`${file}.pml`, import.meta.url), 'utf8')
    await writeFile(join(folder, 'model.pml'), withChanges(model, changes).replace(/^init \{$/m, `${more}$&`))
    await succeed(runIn(folder, spin, ['-a', ...given], 0), 'spin')
    // REACH: without it a shorter way to a state that was met before is not followed.
    const memory = ['-DSAFETY', '-DCOLLAPSE', '-DVECTORSZ=16384', `-DMEMLIM=${MEMORY}`, ...(traced ? ['-DREACH'] : [])]
    await succeed(runIn(folder, gcc, [optimized ? '-O1' : '-O0', '-w', ...memory, '-o', 'pan', 'pan.c'], 0), 'gcc')
  } catch (error) {
    await remove()
    throw error
  }
  return {
    folder,
    remove,
    check: async (args, timeout) => (await runIn(folder, join(folder, 'pan'), [`-m${DEPTH}`, ...args], timeout)).output,
    replay: async () => (await runIn(folder, spin, ['-t', '-p', '-g', '-l', '-B', ...given], 0)).output,
  }
}

/** Searches all states of `configuration` for at most `seconds`; `traced` looks for a short way to a broken promise. */
export async function search(
  configuration: Configuration,
  { seconds, traced = false, optimized = false }: Building & { readonly seconds: number },
): Promise<Outcome> {
  const startedAt = performance.now()
  const checker = await build(configuration, { traced, optimized })
  try {
    const outcome = read(await checker.check(['-w22', ...(traced ? ['-i'] : [])], seconds * 1000))
    const trace = traced && outcome.verdict === 'fails' ? shorten(await checker.replay()) : ''
    return { ...outcome, seconds: (performance.now() - startedAt) / 1000, trace }
  } finally {
    await checker.remove()
  }
}

function withChanges(model: string, changes: string): string {
  const line = /^ *CHANGES$/m
  if (!line.test(model)) throw new Error('a model must have a line CHANGES')
  return model.replace(line, changes)
}

/** What the checker has printed; nothing if it was ended before its end. */
export function read(output: string): Pick<Outcome, 'verdict' | 'states' | 'complaint'> {
  const states = Math.round(Number(/([\d.e+]+) states, stored/.exec(output)?.[1] ?? 0))
  const complaint = /^pan:\d+: (.*) \(at depth \d+\)/m.exec(output)?.[1] ?? ''
  if (complaint !== '') return { verdict: 'fails', states, complaint }
  const isWhole = states > 0 && !/Search not completed|max search depth too small/.test(output)
  return { verdict: isWhole ? 'holds' : 'incomplete', states, complaint: '' }
}

interface Ran {
  readonly failed: boolean
  readonly output: string
}

/** `timeout`: ms after which it is ended, 0 for never. */
function runIn(cwd: string, program: string, args: readonly string[], timeout: number): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { cwd, timeout, killSignal: 'SIGKILL', maxBuffer: 256 * 1024 * 1024 } as const
    own(
      execFile(program, args, options, (error, stdout, stderr) =>
        resolve({ failed: error !== null, output: stdout + stderr }),
      ),
    )
  })
}

async function succeed(running: Promise<Ran>, name: string): Promise<void> {
  const { failed, output } = await running
  if (failed) throw new Error(`${name} refuses the model:\n${output.trim().split('\n').slice(-5).join('\n')}`)
}
