import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build, read } from './spin.ts'
import { MOST_INBOXES, MOST_TOKENS, type Step } from './steps.ts'

const DEFINES = ['TRACE', `NP=${MOST_INBOXES}`, 'FPP=1', `MAXTOK=${MOST_TOKENS + 10}`, 'NLOADFAIL=1', 'NJOIN=0']
/** Steps that pan has room for, and ms that it may take. */
const MOST_STEPS = 100_000
const PATIENCE = 120_000
/** Of those that lead to where a replay stops, how many are told. */
const TOLD = 12

/** The Redis of the model, which follows what a real one was seen to do. */
export interface Follower {
  /**
   * Resolves with '' if the model allows the steps; else with those that lead to the one that it does not allow, a line for
   * each.
   */
  follow(steps: readonly Step[]): Promise<string>
  end(): Promise<void>
}

export async function startFollower(): Promise<Follower> {
  const more = await readFile(new URL('replay.pml', import.meta.url), 'utf8')
  const checker = await build({ changes: 'run Trace()', defines: DEFINES, more })
  return {
    async follow(steps) {
      if (steps.length > MOST_STEPS) throw new RangeError(`at most ${MOST_STEPS} steps, received ${steps.length}`)
      await writeFile(join(checker.folder, 'steps'), Buffer.from(steps.flatMap(({ row }) => row)))
      const output = await checker.check(['-w18', '-E'], PATIENCE) // E: who cannot go on is no fault in itself
      const { complaint, verdict } = read(output)
      if (complaint.includes('!(replayed)')) return ''
      const reached = Number(/^reached step (\d+)$/m.exec(output)?.[1])
      const shown = steps.slice(Math.max(0, reached - TOLD), reached + 1).map(({ text }) => text)
      return [...shown, verdict === 'holds' ? 'is not allowed' : `${verdict}: ${complaint}`].join('\n')
    },
    end: checker.remove,
  }
}
