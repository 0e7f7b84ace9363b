/** The result of a check: fine; works, with a warning; does not work; could not be read. */
export type Level = 'ok' | 'warn' | 'fail' | 'unknown'

export interface Finding {
  /** Name of the check, one word. */
  readonly check: string
  readonly level: Level
  readonly said: string
  /** What to change, if anything. */
  readonly change?: string
}

/** An answer to a question, or the reason why there is none. */
export type Reading<T> = { readonly value: T } | { readonly refused: string }

/** The finding of a check that was not allowed to read. */
export function unread(check: string, refused: string): Finding {
  return { check, level: 'unknown', said: `could not be read: ${refused}` }
}
