// The small grammar that most fields share: RFC 9110 section 5.6. Each function reads its text once, from left to right.

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const TOKENS = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/g
const DIGITS = /^[0-9]+$/

/** Whether a text is a token, as field names and directives are. */
export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

/** All tokens in a text, whatever stands between them. */
export function tokensIn(text: string): readonly string[] {
  return text.match(TOKENS) ?? []
}

export function isDigits(text: string): boolean {
  return DIGITS.test(text)
}

/** Without the spaces and tabs at both ends; other white space is part of a value. */
export function trimBlanks(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return start === 0 && end === text.length ? text : text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

export interface Split {
  /** Without the blanks around them; some may be empty. */
  readonly members: string[]
  /** The text ends within a quoted string, so that the last member may hold anything. */
  readonly unbalanced: boolean
}

/** Splits at each `separator`, one character, that is not within a quoted string. */
export function splitUnquoted(text: string, separator: string): Split {
  const members: string[] = []
  let start = 0
  let quoted = false
  for (let index = 0; index < text.length; index++) {
    const character = text[index]
    if (quoted) {
      if (character === '\\') index++
      else if (character === '"') quoted = false
    } else if (character === '"') quoted = true
    else if (character === separator) {
      members.push(trimBlanks(text.slice(start, index)))
      start = index + 1
    }
  }
  members.push(trimBlanks(text.slice(start)))
  return { members, unbalanced: quoted }
}

/** The text that a token or a quoted string stands for; undefined for anything else. */
export function valueOf(text: string): string | undefined {
  if (isToken(text)) return text
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return undefined
  let value = ''
  for (let index = 1; index < text.length - 1; index++) {
    if (text[index] === '"') return undefined
    if (text[index] === '\\') index++
    // The last quote is escaped, so that the string does not end.
    if (index === text.length - 1) return undefined
    value += text[index]
  }
  return value
}
