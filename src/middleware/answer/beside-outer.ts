import type { FieldBlock } from '../rules/fields.ts'
import { unitedVary } from '../rules/vary.ts'

type OuterField = number | string | string[] | undefined

/**
 * The fields of an answer, combined with those that outer layers have set for this request. The fields in `joins` add to
 * the outer ones. Vary is always joined: it names what every layer has looked at.
 */
export function besideOuterFields(
  outer: (name: string) => OuterField,
  joins: readonly string[],
  fields: FieldBlock,
): FieldBlock {
  let joined = fields
  for (const name of joins) joined = joinedWith(joined, name, outer(name))
  return joins.includes('vary') ? joined : joinedWith(joined, 'vary', outer('vary'))
}

function joinedWith(fields: FieldBlock, name: string, outer: OuterField): FieldBlock {
  if (outer === undefined) return fields
  const index = fields.findIndex((each, at) => at % 2 === 0 && String(each).toLowerCase() === name)
  if (index < 0) return fields
  const lines = [outer, fields[index + 1] ?? []].flat().map(String)
  const copy = [...fields]
  copy[index + 1] = name === 'vary' ? unitedVary(lines) : lines
  return copy
}
