import type { Check, Mutation, Possibility } from './checks.ts'
import type { Configuration, Outcome } from './spin.ts'

/** One search and what must come of it. */
export interface Question extends Configuration {
  readonly name: string
  readonly about: string
  readonly expected: Outcome['verdict']
}

interface Table {
  readonly checks: Readonly<Record<string, Check>>
  readonly mutations: Readonly<Record<string, Mutation>>
  readonly possibilities: Readonly<Record<string, Possibility>>
}

/** The questions of these names, or all; with `quick` only those small enough for every run of the tests. */
export function questionsOf(table: Table, names: readonly string[], quick: boolean): Question[] {
  const { checks, mutations, possibilities } = table
  const all = [
    ...Object.entries(checks).map(([name, check]) => ({ name, expected: 'holds' as const, ...check })),
    ...Object.entries(mutations).map(([name, { check, without, quick: isQuick }]) => ({
      ...failing(checks, name, check, isQuick),
      about: `${check}, without: ${without}`,
    })),
    ...Object.entries(possibilities).map(([name, { check, about, quick: isQuick }]) => ({
      ...failing(checks, name, check, isQuick),
      about: `${check}, possible: ${about}`,
    })),
  ]
  const unknown = names.filter((name) => !all.some((question) => question.name === name))
  if (unknown.length > 0) {
    throw new Error(`no check ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join(', ')}`)
  }
  return all.filter((question) => (names.length === 0 || names.includes(question.name)) && (!quick || question.quick))
}

function failing(
  checks: Table['checks'],
  name: string,
  check: string,
  quick: true | undefined,
): Omit<Question, 'about'> & { quick: true | undefined } {
  const of = checks[check]
  if (of === undefined) throw new Error(`${name} names the check ${check}, which does not exist`)
  const { model, changes } = of
  return { name, expected: 'fails', ...(model && { model }), changes, defines: [...of.defines, name], quick }
}
