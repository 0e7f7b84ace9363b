/** The fields of an INFO reply, by name. */
export type Info = ReadonlyMap<string, string>

export function parseInfo(text: string): Info {
  const fields = text.split(/\r?\n/).flatMap((line) => {
    const colon = line.indexOf(':')
    return line.startsWith('#') || colon === -1 ? [] : [[line.slice(0, colon), line.slice(colon + 1)] as const]
  })
  return new Map(fields)
}

/** A numeric field; `undefined` if there is none. */
export function numberIn(info: Info, field: string): number | undefined {
  const text = info.get(field)
  const number = Number(text)
  return text === undefined || text === '' || Number.isNaN(number) ? undefined : number
}
