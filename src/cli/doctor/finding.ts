/** What a check has come to: as it should be; works, but; does not work; could not be read. */
export type Level = 'ok' | 'warn' | 'fail' | 'unknown'

export interface Finding {
  /** Name of the check, one word. */
  readonly check: string
  readonly level: Level
  readonly said: string
  /** What to change, where something is to be changed. */
  readonly change?: string
}

/** Something that was asked for: its answer, or why there is none. */
export type Reading<T> = { readonly value: T } | { readonly refused: string }

/** The finding of a check whose reading was refused. */
export function unread(check: string, refused: string): Finding {
  return { check, level: 'unknown', said: `could not be read: ${refused}` }
}
