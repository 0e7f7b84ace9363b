/** The keys of the slots in which the loads of one cache run. Both lie in one Cluster slot; entries lie elsewhere. */
export interface SlotKeys {
  /** Sorted set of the tokens that have a slot, by the ms on Redis's clock at which it ends unless it is extended. */
  readonly held: string
  /** Sorted set of the tokens that wait for one, by order of arrival. */
  readonly line: string
}

export function slotKeys(prefix: string): SlotKeys {
  const held = `${prefix}:slots:{${prefix}}`
  return { held, line: `${held}:line` }
}
