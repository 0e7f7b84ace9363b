import type { PhaseResult } from './scenario.ts'
import { total } from './table.ts'

/** Says in words what the numbers show; throws when they show something else. */
export function explain(results: readonly PhaseResult[], several: boolean): string {
  const [without, withFlight, expiring] = results as [PhaseResult, PhaseResult, PhaseResult]
  for (const { name, errors } of results) {
    if (errors.length > 0) throw new Error(`${errors.length} requests failed ${name}, the first with: ${errors[0]}`)
  }
  expectRuns(without, without.requests)
  expectRuns(withFlight, 1)
  expectRuns(expiring, 1)
  if (expiring.waited > 0) throw new Error(`${expiring.waited} requests waited for the handler, expected none`)
  const inAll = several ? ' in all processes together' : ''
  return [
    `Without singleFlight the handler ran for each of the ${without.requests} requests, and the database made them queue.`,
    `With it the handler ran once${inAll}, and every request got that answer.`,
    `When the stored answer expired, the handler ran once more${inAll}, and no request waited for it.`,
  ].join('\n')
}

function expectRuns({ name, runs }: PhaseResult, expected: number): void {
  if (total(runs) !== expected) throw new Error(`${total(runs)} handler runs ${name}, expected ${expected}`)
}
