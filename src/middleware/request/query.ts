/** Which parts of a query are not part of the key. */
export interface QueryRules {
  /** Whether a parameter of this name, as it stands in the URL, does not change the answer. */
  readonly ignoresQuery: ((name: string) => boolean) | undefined
  readonly sortQuery: boolean
}

/** The parts of a URL that decide the answer: byte for byte, without what the rules leave out. */
export function keyedUrl(url: string, { ignoresQuery, sortQuery }: QueryRules): string {
  if (ignoresQuery === undefined && !sortQuery) return url
  const start = url.indexOf('?')
  // Frameworks drop what follows a #: a parameter behind it does not count.
  if (start < 0 || url.includes('#')) return url
  let parameters: readonly string[] = url.slice(start + 1).split('&')
  if (ignoresQuery !== undefined) {
    // Some parsers end a parameter at a semicolon. Then another one hides behind it.
    parameters = parameters.filter(
      (parameter) => parameter.includes(';') || !isIgnored(nameOf(parameter), ignoresQuery),
    )
  }
  if (sortQuery) parameters = sorted(parameters)
  const query = parameters.join('&')
  return query === '' ? url.slice(0, start) : `${url.slice(0, start)}?${query}`
}

/** Some parsers take `a[b]c` for `a[b]`: a name with text after the bracket is never ignored. */
function isIgnored(name: string, ignoresQuery: (name: string) => boolean): boolean {
  return ignoresQuery(name) && (rootOf(name) === name || /(?:\]|%5d)$/i.test(name))
}

/**
 * Sorts by name. Parameters of one name, and the members of one array or object, keep their order. All keep it if two
 * spellings can be one name: `a` and `%61`, `a+b` and `a%20b`, or `x;a` where a semicolon ends a parameter.
 */
function sorted(parameters: readonly string[]): readonly string[] {
  if (parameters.some((parameter) => parameter.includes(';') || /[%+]/.test(rootOf(nameOf(parameter)))))
    return parameters
  const named = parameters.map((parameter) => [rootOf(nameOf(parameter)), parameter] as const)
  return named.toSorted(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0)).map(([, parameter]) => parameter)
}

function nameOf(parameter: string): string {
  const equals = parameter.indexOf('=')
  return equals < 0 ? parameter : parameter.slice(0, equals)
}

/** `a` of `a[b]`, also if the bracket is encoded. */
function rootOf(name: string): string {
  const plain = name.indexOf('[')
  const encoded = name.toLowerCase().indexOf('%5b')
  const end = plain < 0 ? encoded : encoded < 0 ? plain : Math.min(plain, encoded)
  return end < 0 ? name : name.slice(0, end)
}

/** Whether a name is one of `patterns`, in which `*` stands for any text. */
export function matcherOf(patterns: readonly string[]): (name: string) => boolean {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')))
  const globs = patterns.filter((pattern) => pattern.includes('*')).map((pattern) => pattern.split('*'))
  return (name) => exact.has(name) || globs.some((parts) => fits(name, parts))
}

/** The first part at the start, the last at the end, and the others in between where they first occur. */
function fits(name: string, parts: readonly string[]): boolean {
  const first = parts[0] ?? ''
  const last = parts.at(-1) ?? ''
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false
  let from = first.length
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, from)
    if (found < 0) return false
    from = found + part.length
  }
  return from <= name.length - last.length
}
