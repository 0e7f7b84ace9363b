import { splitUnquoted, trimBlanks } from './grammar.ts'
import { selectingValue } from './vary.ts'

/** What an application can answer with, by the lower-case name of the request field that chooses. */
export type Offers = Readonly<Record<string, readonly string[]>>

/**
 * What an Accept-Encoding or Accept-Language says about what is offered, and no more: best first, `>` between what it
 * prefers and what it accepts too, `-` before what it refuses. An offer that matches only by another name (`de` by `de-CH`,
 * or by `*`) is marked, because not every handler matches like that. A malformed field stays as it is.
 */
export function normalisedPreference(name: string, value: string, offered: readonly string[]): string {
  const asItIs = selectingValue({ [name]: value }, name) ?? ''
  const ranges = parseRanges(value)
  if (ranges === undefined) return asItIs
  const matchRange = name === 'accept-language' ? matchLanguage : matchExactly
  // A request that does not name `identity` accepts it. Many name it, and some refuse it.
  const all = name === 'accept-encoding' && !offered.includes('identity') ? [...offered, 'identity'] : offered
  const matches = all.flatMap((offer) => {
    const match = matchRange(offer.toLowerCase(), ranges) ?? anyOf(ranges)
    return match === undefined ? [] : [{ ...match, name: `${offer.toLowerCase()}${match.mark}` }]
  })
  matches.sort((one, other) => other.weight - one.weight || one.position - other.position)
  let text = ''
  let before: number | undefined
  for (const { name: each, weight } of matches) {
    if (before !== undefined) text += weight < before ? '>' : ','
    text += weight === 0 ? `-${each}` : each
    before = weight
  }
  return text
}

interface Range {
  readonly weight: number
  readonly position: number
}

type Match = Range & { readonly mark: string }

/** By lower-case name. Undefined if one is malformed or named twice. */
function parseRanges(value: string): ReadonlyMap<string, Range> | undefined {
  const ranges = new Map<string, Range>()
  for (const member of splitUnquoted(value.toLowerCase(), ',').members) {
    if (member === '') continue
    const [name = '', parameter, ...rest] = member.split(';').map(trimBlanks)
    const weight = parameter === undefined ? 1 : weightOf(parameter)
    if (weight === undefined || rest.length > 0 || name === '' || name.includes(' ') || ranges.has(name))
      return undefined
    ranges.set(name, { weight, position: ranges.size })
  }
  return ranges
}

function weightOf(parameter: string): number | undefined {
  return /^q=(?:0|0\.[0-9]{0,3}|1|1\.0{0,3})$/.test(parameter) ? Number(parameter.slice(2)) : undefined
}

function matchExactly(offer: string, ranges: ReadonlyMap<string, Range>): Match | undefined {
  const range = ranges.get(offer)
  return range && { ...range, mark: '' }
}

/** Matches the same language, or one that is described more exactly or less exactly. */
function matchLanguage(offer: string, ranges: ReadonlyMap<string, Range>): Match | undefined {
  const exact = matchExactly(offer, ranges)
  if (exact !== undefined) return exact
  let best: Range | undefined
  for (const [name, range] of ranges) {
    if (!name.startsWith(`${offer}-`) && !offer.startsWith(`${name}-`)) continue
    if (best === undefined || range.weight > best.weight) best = range
  }
  return best && { ...best, mark: '~' }
}

function anyOf(ranges: ReadonlyMap<string, Range>): Match | undefined {
  const range = ranges.get('*')
  return range && { ...range, mark: '*' }
}
