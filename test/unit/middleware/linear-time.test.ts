import { describe, expect, test } from 'vitest'

import { resolveOptions } from '../../../src/middleware/options.ts'
import { isNotModified, rangeApplies } from '../../../src/middleware/answer/preconditions.ts'
import { requestDirectives } from '../../../src/middleware/request/bypass.ts'
import { cookieValues } from '../../../src/middleware/request/cookies.ts'
import { parseForwarded } from '../../../src/middleware/request/forwarded.ts'
import { keyedUrl, matcherOf } from '../../../src/middleware/request/query.ts'
import { parseCacheControl } from '../../../src/middleware/rules/cache-control.ts'
import { areSafe, blockOf, FieldMap, unstorableNames } from '../../../src/middleware/rules/fields.ts'
import { initialAge } from '../../../src/middleware/rules/freshness.ts'
import { splitUnquoted, tokensIn, trimBlanks, valueOf } from '../../../src/middleware/rules/grammar.ts'
import { parseHttpDate } from '../../../src/middleware/rules/http-date.ts'
import { judge } from '../../../src/middleware/rules/storable.ts'
import { instructionsOf, parseGroups } from '../../../src/middleware/rules/targeted-fields.ts'
import { entityTags } from '../../../src/middleware/rules/validators.ts'
import { selectingValue, varyFields } from '../../../src/middleware/rules/vary.ts'
import { normalisedPreference } from '../../../src/middleware/rules/vary-normalise.ts'
import type { StoredResponse } from '../../../src/middleware/stored/stored-response.ts'

/** ms for the worst input of this length. Time that grows with the square of it takes minutes. */
const MOST = 200
const LENGTH = 200_000

const PIECES = [
  ' ',
  '\t',
  ',',
  ' ,',
  '"',
  '\\',
  '"\\',
  '=',
  ';',
  'a',
  'a,',
  'a ',
  '","',
  'a=,',
  'W/',
  'W/"',
  '0',
  '%5b',
]
const INPUTS = PIECES.flatMap((piece) => {
  const run = piece.repeat(Math.ceil(LENGTH / piece.length))
  return [run, `a${run}b`, `"${run}`, `private="${run}"`]
})

const stored = { status: 200, etag: '"1"', lastModified: 'x', respondedAt: 0 } as StoredResponse
const policy = resolveOptions({ targetedFields: ['CDN-Cache-Control', 'Surrogate-Control'] })
const fits = matcherOf(['a*b*c', '*a*a*a*b'])

const PARSERS: Record<string, (text: string) => unknown> = {
  trimBlanks,
  tokensIn,
  valueOf,
  splitUnquoted: (text) => splitUnquoted(text, ','),
  parseCacheControl,
  varyFields,
  selectingValue: (text) => selectingValue({ 'accept-language': text }, 'accept-language'),
  normalisedPreference: (text) => normalisedPreference('accept-language', text, ['de', 'en']),
  entityTags,
  isNotModified: (text) => isNotModified({ 'if-none-match': text }, stored),
  rangeApplies: (text) => rangeApplies({ 'if-range': text }, stored),
  parseHttpDate: (text) => parseHttpDate(text, 0),
  initialAge: (text) => initialAge(new FieldMap(['Age', text]), 0, 0),
  targeted: (text) => instructionsOf(new FieldMap(['CDN-Cache-Control', text]), policy.targetedFields),
  surrogate: (text) => instructionsOf(new FieldMap(['Surrogate-Control', text]), policy.targetedFields),
  parseGroups,
  unstorableNames: (text) => unstorableNames(new FieldMap(['Connection', text])),
  areSafe: (text) => areSafe(['a', text]),
  judge: (text) => {
    const names = ['Cache-Control', 'Vary', 'Age', 'Date', 'Expires', 'Content-Security-Policy', 'Content-Type']
    const fields = new FieldMap(names.flatMap((name) => [name, text]))
    return judge({ authorization: false, cookie: false, resumes: false, at: 0 }, { status: 200, fields, at: 0 }, policy)
  },
  parseForwarded,
  cookieValues: (text) => cookieValues(text, ['a']),
  requestDirectives: (text) => requestDirectives({ 'cache-control': text }),
  keyedUrl: (text) => keyedUrl(`/?${text.replaceAll(',', '&')}`, { ignoresQuery: fits, sortQuery: true }),
  glob: (text) => fits(text),
}

describe.each(Object.keys(PARSERS))('%s', (name) => {
  test('takes a time that grows with the length of its input', () => {
    const parse = PARSERS[name]
    let worst = { took: 0, input: '' }
    for (const input of INPUTS) {
      // The least of a few: the machine may have been busy with something else.
      let took = Number.POSITIVE_INFINITY
      for (let attempt = 0; attempt < 5 && took > MOST; attempt++) {
        // Of the processor, not of the clock.
        const before = process.cpuUsage()
        parse?.(input)
        took = Math.min(took, process.cpuUsage(before).user / 1000)
      }
      if (took > worst.took) worst = { took, input: `${input.slice(0, 20)}…` }
    }
    expect(worst.took, worst.input).toBeLessThan(MOST)
  })
})

test('blockOf: 50 000 lines of one field', () => {
  const before = performance.now()
  blockOf(Array.from({ length: 100_000 }, () => 'a'))
  expect(performance.now() - before).toBeLessThan(MOST)
})
