import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readCorpus } from './corpus.ts'
import { inputsFor } from './inputs.ts'
import { targets } from './targets.ts'

/** Inputs for each target: `npm run fuzz` tries as many as there is time for. */
const RUNS = 500
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31)
const corpus = await readCorpus()

describe.each(targets)('$name', (target) => {
  it(`holds against inputs at random (FUZZ_SEED=${SEED} tries them again)`, () => {
    fc.assert(fc.property(inputsFor(target), target.run), { seed: SEED, numRuns: RUNS })
  })

  it.each(corpus[target.name] ?? [])('holds against what was found before: %s', (input) => {
    target.run(Buffer.from(input, 'base64'))
  })
})

it('every kept input belongs to a target', () => {
  const names = targets.map(({ name }) => name)
  expect(Object.keys(corpus).filter((name) => !names.includes(name))).toEqual([])
})
