import { besideOuterFields } from '../answer/beside-outer.ts'
import type { Baseline, FieldBlock } from '../rules/fields.ts'

/** The response fields that outer layers have set for this request before us. */
export class OuterFields {
  readonly baseline: Baseline

  /** Names in lower case. */
  constructor(baseline: Baseline) {
    this.baseline = baseline
  }

  /** The fields of a stored answer, combined with the outer ones that the handler did not remove. */
  beside(removed: readonly string[], joins: readonly string[], fields: FieldBlock): FieldBlock {
    const outer = new Map(this.baseline)
    const valueOf = (name: string): string | string[] | undefined => outer.get(name)
    const own = besideOuterFields(valueOf, joins, fields)
    const names = new Set(own.filter((_, index) => index % 2 === 0).map((name) => String(name).toLowerCase()))
    const kept = this.baseline.filter(([name]) => !names.has(name) && !removed.includes(name))
    return [...kept.flat(), ...own]
  }
}

export function baselineOf(headers: Headers): Baseline {
  const lines = new Map<string, string[]>()
  headers.forEach((value, name) => lines.set(name, [...(lines.get(name) ?? []), value]))
  return [...lines].map(([name, values]) => [name, values.length === 1 ? String(values[0]) : values] as const)
}
