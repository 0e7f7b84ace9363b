import { describe, expect, test } from 'vitest'

import { normalisedPreference } from '../../../../src/middleware/rules/vary-normalise.ts'

describe('Accept-Language, of de and en', () => {
  test.each([
    ['de', 'de'],
    ['DE , fr', 'de'],
    ['en, de', 'en,de'],
    ['de, en', 'de,en'],
    ['en;q=0.5, de', 'de>en'],
    ['de;q=0.9, en;q=0.8, fr', 'de>en'],
    ['de-CH, de;q=0.9', 'de'],
    ['de-CH', 'de~'],
    ['de-CH;q=0.1, en;q=0.5, de-AT', 'de~>en'],
    ['fr', ''],
    ['*', 'de*,en*'],
    ['en, *;q=0.1', 'en>de*'],
    ['de;q=0, *', 'en*>-de'],
    ['deu', ''],
    ['', ''],
    [', ,', ''],
    ['de;q=0', '-de'],
    ['de-CH;q=0', '-de~'],
    ['de-CH;q=0.5, de-AT;q=0.5, en;q=0.4', 'de~>en'],
    ['en;q=0.5, de-CH;q=0.4, de-AT;q=0.6', 'de~>en'],
    ['en;q=0.5, de-CH;q=0.6, de-AT;q=0.4', 'de~>en'],
    ['en-GB, de-CH', 'en~,de~'],
    ['de-CH, en, de-AT', 'de~,en'],
    ['*;q=0.5, de', 'de>en*'],
    ['de;q=1.000, en;q=0.999', 'de>en'],
    ['de;q=0., en;q=1.', 'en>-de'],
    ['de ; Q=0.5, en', 'en>de'],
    ['de-*', 'de~'],
    // Malformed, or more than is understood: as it is.
    ['de;q=2', 'de;q=2'],
    ['de;q=1.001', 'de;q=1.001'],
    ['de;q=0.1234', 'de;q=0.1234'],
    ['de;q=.5', 'de;q=.5'],
    ['de;q= 0.5', 'de;q= 0.5'],
    ['de;q', 'de;q'],
    ['de;', 'de;'],
    ['de;q=0.5;', 'de;q=0.5;'],
    [';q=0.5', ';q=0.5'],
    ['DE;level=1 , en', 'de;level=1,en'],
    ['DE;q=0.5;x=1', 'de;q=0.5;x=1'],
    ['de, de;q=0.5', 'de,de;q=0.5'],
    ['de en', 'de en'],
  ])('%s', (value, expected) => {
    expect(normalisedPreference('accept-language', value, ['de', 'en'])).toBe(expected)
  })

  test('one of which is not asked for twice is told by its own name', () => {
    expect(normalisedPreference('accept-language', 'DE-de, de', ['de-DE', 'de'])).toBe('de-de,de')
    expect(normalisedPreference('accept-language', 'de', [])).toBe('')
  })

  test('a language that is offered for one country', () => {
    expect(normalisedPreference('accept-language', 'de-at', ['de-CH'])).toBe('')
    expect(normalisedPreference('accept-language', 'de', ['de-CH'])).toBe('de-ch~')
    expect(normalisedPreference('accept-language', 'de-ch', ['de-CH'])).toBe('de-ch')
  })
})

describe('Accept-Encoding, of br and gzip', () => {
  test.each([
    ['gzip, deflate, br', 'gzip,br'],
    ['gzip, deflate, br, zstd', 'gzip,br'],
    ['gzip;q=1.0, br;q=0.2, identity;q=0', 'gzip>br>-identity'],
    ['identity', 'identity'],
    ['*;q=0', '-br*,-gzip*,-identity*'],
    ['', ''],
    ['deflate', ''],
    // Encodings have no more exact ones.
    ['gzip-x', ''],
    ['identity;q=0', '-identity'],
    ['br;q=0.5, *;q=0.5', 'br,gzip*,identity*'],
    ['GZIP', 'gzip'],
    ['br;q=3', 'br;q=3'],
  ])('%s', (value, expected) => {
    expect(normalisedPreference('accept-encoding', value, ['br', 'gzip'])).toBe(expected)
  })
})

test.each([
  ['identity that is offered counts once', 'accept-encoding', 'gzip, identity', ['gzip', 'identity'], 'gzip,identity'],
  ['identity is nothing that languages have', 'accept-language', 'identity', ['de'], ''],
  ['what is offered has no case', 'accept-encoding', 'gzip', ['GZip'], 'gzip'],
])('%s', (_name, field, value, offered, expected) => {
  expect(normalisedPreference(field, value, offered)).toBe(expected)
})
