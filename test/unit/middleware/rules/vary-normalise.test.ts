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
    // Malformed, or more than is understood: as it is.
    ['de;q=2', 'de;q=2'],
    ['DE;q=0.5;x=1', 'de;q=0.5;x=1'],
    ['de, de;q=0.5', 'de,de;q=0.5'],
    ['de en', 'de en'],
  ])('%s', (value, expected) => {
    expect(normalisedPreference('accept-language', value, ['de', 'en'])).toBe(expected)
  })

  test('a language that is offered for one country', () => {
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
  ])('%s', (value, expected) => {
    expect(normalisedPreference('accept-encoding', value, ['br', 'gzip'])).toBe(expected)
  })
})
