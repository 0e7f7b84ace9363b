import type { Monitored } from '../support/monitored.ts'
import { observe } from './observed.ts'
import { type Step, stepsOf } from './steps.ts'
import { KEYS, PREFIX, PROCESSES } from '../chaos/plan.ts'

/**
 * The steps of all entries of a chaos run, one entry after the other, as far as the model has what befell them: not those of
 * streams. `carriedOut`: by each master while it was one, of which the first was empty when it began.
 */
export function stepsOfRun({ carriedOut }: { readonly carriedOut: readonly (readonly Monitored[])[] }): Step[] {
  return carriedOut.flatMap((commands, generation) =>
    Array.from({ length: KEYS }, (_, i) => {
      const watched = { valueKey: `${PREFIX}:{key ${i}}`, tagKey: `${PREFIX}:tag:{tag ${i % PROCESSES}}` }
      const steps = stepsOf(observe(commands, watched), generation === 0)
      return steps.map(({ row, text }) => ({ row, text: `key ${i}, ${text}` }))
    }).flat(),
  )
}
