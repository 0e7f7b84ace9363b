import { trimBlanks } from '../rules/grammar.ts'

/**
 * What a Cookie field says of the cookies with these names, name by name: their values in their order, undefined where
 * there is none.
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
