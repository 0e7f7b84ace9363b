import { checks, mutations, possibilities } from './checks.ts'
import { streamChecks, streamMutations, streamPossibilities } from './stream-checks.ts'
import { slotChecks, slotMutations } from './slot-checks.ts'

/** All questions, of all models. */
export const table = {
  checks: { ...checks, ...slotChecks, ...streamChecks },
  mutations: { ...mutations, ...slotMutations, ...streamMutations },
  possibilities: { ...possibilities, ...streamPossibilities },
}
