import { expect } from 'vitest'
import { eventually } from './eventually.ts'
import { runProgram } from './run-program.ts'

/** Runs an example to its end, which must be a good one; resolves with the lines that it printed. */
export async function runExample(file: string, env: Record<string, string> = {}): Promise<string[]> {
  const example = await runProgram(`examples/${file}`, [], { REDIS_URL: undefined, DATABASE_URL: undefined, ...env })
  const end = await example.exited
  expect({ ...end, errors: example.errors }).toEqual({ code: 0, signal: null, errors: '' })
  // The compiler that tsx has started ends a little later than the program.
  await eventually(`nothing of ${file} is left`, () => !example.isAlive())
  return example.output.trimEnd().split('\n')
}
