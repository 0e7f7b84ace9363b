/** Where a command writes to. */
export interface Output {
  readonly write: (text: string) => void
  /** Tells a waiting person what is being done. Each note replaces the previous one if possible. */
  readonly note: (text: string) => void
  /** Whether to colour it. */
  readonly colours: boolean
}

const CODES = { green: 32, yellow: 33, red: 31, dim: 2, bold: 1 } as const

export type Colour = keyof typeof CODES

/** Text in a colour, if colours are wanted. */
export function paint({ colours }: Output, colour: Colour, text: string): string {
  return colours ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text
}

/**
 * Text from outside. Everything that a terminal would act upon or hide is escaped: control characters, line breaks, and
 * marks that change the direction of writing.
 */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (char) => {
    const code = char.codePointAt(0) ?? 0
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}

/** A table in columns; numbers are aligned to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const widths = head.map((name, at) => Math.max(name.length, ...rows.map((row) => String(row[at]).length)))
  const isNumeric = head.map((_, at) => rows.length > 0 && rows.every((row) => typeof row[at] === 'number'))
  const line = (row: readonly (string | number)[]): string =>
    row
      .map((cell, at) =>
        isNumeric[at] ? String(cell).padStart(widths[at] ?? 0) : String(cell).padEnd(widths[at] ?? 0),
      )
      .join('  ')
      .trimEnd()
  return [head, ...rows].map((row) => `${line(row)}\n`).join('')
}
