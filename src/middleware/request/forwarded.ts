import { splitUnquoted, trimBlanks, valueOf } from '../rules/grammar.ts'

/** What a Forwarded field (RFC 7239) says of the URL that was asked for. */
export interface Forwarded {
  /** In lower case, in their order. */
  readonly protos: readonly string[]
  readonly hosts: readonly string[]
  /**
   * The parts that can change an answer, proxy by proxy: `host` and `proto`, not the addresses on the way. The whole field
   * if it is malformed. Undefined if it says nothing about the two.
   */
  readonly telling: string | undefined
}

const NOTHING: Forwarded = { protos: [], hosts: [], telling: undefined }

export function parseForwarded(field: string | undefined): Forwarded {
  if (field === undefined) return NOTHING
  const protos: string[] = []
  const hosts: string[] = []
  const { members, unbalanced } = splitUnquoted(field, ',')
  if (unbalanced) return { ...NOTHING, telling: field }
  const telling: string[] = []
  for (const member of members) {
    const kept: string[] = []
    for (const pair of splitUnquoted(member, ';').members) {
      if (pair === '') continue
      const equals = pair.indexOf('=')
      const name = trimBlanks(pair.slice(0, Math.max(0, equals))).toLowerCase()
      const text = trimBlanks(pair.slice(equals + 1))
      // A host with a port often lacks the quotes that it should have.
      const value = valueOf(text) ?? (text.includes('"') ? undefined : text)
      if (name !== 'host' && name !== 'proto' && name !== '') continue
      if (name === '' || value === undefined) return { ...NOTHING, telling: field }
      if (name === 'host') hosts.push(value)
      else protos.push(value.toLowerCase())
      kept.push(`${name}=${value.length}:${value}`)
    }
    telling.push(kept.join(';'))
  }
  if (protos.length === 0 && hosts.length === 0) return NOTHING
  return { protos, hosts, telling: telling.join(',') }
}
