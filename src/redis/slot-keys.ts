/** The keys of the slots for the loads of one cache. Both are in one Cluster slot; entries are in others. */
export interface SlotKeys {
  /** Sorted set of the tokens that have a slot, by the time on Redis's clock, in ms, at which it ends unless it is extended. */
  readonly held: string
  /** Sorted set of the tokens that wait for one, by order of arrival. */
  readonly line: string
}

export function slotKeys(prefix: string): SlotKeys {
  const held = `${prefix}:slots:{${prefix}}`
  return { held, line: `${held}:line` }
}
