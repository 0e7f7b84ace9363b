import { checks, mutations, possibilities } from './checks.ts'
import { slotChecks, slotMutations } from './slot-checks.ts'

/** All questions, of both models. */
export const table = {
  checks: { ...checks, ...slotChecks },
  mutations: { ...mutations, ...slotMutations },
  possibilities,
}
