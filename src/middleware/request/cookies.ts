import { trimBlanks } from '../rules/grammar.ts'

/**
 * The values in a Cookie field for each of these names. Several values of one name are joined in their order. Undefined
 * for a name without a value.
 */
export function cookieValues(field: string | undefined, names: readonly string[]): Array<string | undefined> {
  const values = new Map<string, string>()
  for (const pair of (field ?? '').split(';')) {
    const equals = pair.indexOf('=')
    if (equals < 0) continue
    const name = trimBlanks(pair.slice(0, equals))
    if (!names.includes(name)) continue
    const value = trimBlanks(pair.slice(equals + 1))
    const before = values.get(name)
    // No value has a semicolon in it.
    values.set(name, before === undefined ? value : `${before};${value}`)
  }
  return names.map((name) => values.get(name))
}
