import { describe, expect, test } from 'vitest'

import { FieldMap } from '../../../../src/middleware/rules/fields.ts'
import { formatHttpDate } from '../../../../src/middleware/rules/http-date.ts'
import { type OptionsFor, resolveOptions } from '../../../../src/middleware/options.ts'
import { judge, ONLY_NOW, type Policy, type Verdict, withheldBy } from '../../../../src/middleware/rules/storable.ts'

const NOW = Date.UTC(2026, 0, 1)
const NOBODY = { authorization: false, cookie: false, resumes: false, at: NOW }

interface Given {
  status?: number
  asked?: Partial<typeof NOBODY>
  options?: OptionsFor<unknown>
  policy?: Partial<Policy>
}

function verdict(
  fields: Record<string, string | string[]>,
  { status = 200, asked = {}, options = {}, policy = {} }: Given = {},
): Verdict {
  const flat = Object.entries(fields).flatMap(([name, value]) => [value].flat().flatMap((line) => [name, line]))
  const answered = { status, fields: new FieldMap(flat), at: NOW }
  return judge({ ...NOBODY, ...asked }, answered, { ...resolveOptions(options), ...policy })
}

const cacheControl = (value: string) => ({ 'Cache-Control': value })
const lifetime = (given: Verdict) => (given.share ? given.lifetime : given.reason)

describe('not shared', () => {
  test.each([
    ['no-store', cacheControl('no-store, max-age=60'), {}],
    ['private', cacheControl('private, max-age=60'), {}],
    ['no-cache', cacheControl('no-cache, max-age=60'), {}],
    ['set-cookie', { 'Cache-Control': 'public, max-age=60', 'Set-Cookie': 'a=b' }, {}],
    ['cookie', cacheControl('max-age=60'), { asked: { cookie: true } }],
    ['cookie', cacheControl('max-age=60, must-revalidate'), { asked: { cookie: true } }],
    ['authorization', cacheControl('max-age=60'), { asked: { authorization: true } }],
    ['vary', { 'Cache-Control': 'max-age=60', Vary: 'Accept, *' }, {}],
    ['no-freshness', {}, {}],
    ['no-freshness', { ETag: '"1"' }, {}],
    ['no-freshness', { 'Last-Modified': formatHttpDate(NOW - 1e9) }, {}],
    ['authorization', cacheControl('max-age=60, must-revalidate'), { asked: { authorization: true } }],
    ['vary', { 'Cache-Control': 'max-age=60', Vary: 'Accept Cookie' }, {}],
    ['private', cacheControl('private;'), { options: { ttl: 1000 } }],
    ['no-store', cacheControl('no-cache; no-store; private'), { options: { ttl: 1000 } }],
    ['csp-nonce', { ...cacheControl('max-age=60'), 'Content-Security-Policy': "script-src 'NONCE-a1' 'self'" }, {}],
    [
      'csp-nonce',
      {
        ...cacheControl('max-age=60'),
        'Content-Security-Policy-Report-Only': ["img-src 'self'", "script-src 'nonce-a'"],
      },
      {},
    ],
    ['no-cache', { ...cacheControl('no-cache'), ETag: '"1"' }, { status: 404 }],
    ['stale', cacheControl('max-age=0'), {}],
    ['stale', cacheControl('max-age=60, max-age=0'), {}],
    ['stale', { 'Cache-Control': 'max-age=60', Age: '60' }, {}],
    ['stale', { Expires: formatHttpDate(NOW) }, {}],
    ['stale', { Expires: '0' }, { options: { ttl: 1000 } }],
    ['status', cacheControl('max-age=60'), { status: 206 }],
    ['status', cacheControl('max-age=60'), { status: 304 }],
    ['must-understand', cacheControl('max-age=60, must-understand'), { status: 599 }],
    ['no-store', { 'Cache-Control': 'max-age=60', 'Surrogate-Control': 'no-store' }, {}],
    ['event-stream', { 'Content-Type': 'text/event-stream; charset=utf-8' }, { options: { ttl: 1000 } }],
    ['event-stream', { 'Content-Type': 'Text/Event-Stream' }, { options: { ttl: 1000 } }],
    ['set-cookie2', { 'Cache-Control': 'public, max-age=60', 'Set-Cookie2': 'a=b' }, {}],
    ['set-cookie', { 'Cache-Control': 'max-age=60, private="set-cookie2"', 'Set-Cookie': 'a=b' }, {}],
    ['status', cacheControl('max-age=60'), { status: 199 }],
    ['key', cacheControl('public, max-age=60'), { policy: { unshareable: 'key' } }],
    ['key', cacheControl('no-store'), { status: 304, policy: { unshareable: 'key' } }],
    ['vary', cacheControl('max-age=60'), { policy: { alsoVaries: ['*'] } }],
    ['must-understand', cacheControl('max-age=60, must-understand, no-store'), { status: 418 }],
    ['no-store', cacheControl('no-store, max-age=60'), { status: 418 }],
    ['private', cacheControl('public, s-maxage=60, private'), {}],
    ['private', cacheControl('private, private="a", max-age=60'), {}],
    ['no-store', cacheControl('must-understand, no-store;, max-age=60'), {}],
    ['no-store', { 'Cache-Control': 'max-age=60', 'Surrogate-Control': 'no-store, max-age=5' }, {}],
    [
      'authorization',
      cacheControl('max-age=60'),
      { asked: { authorization: true }, options: { shareMustRevalidate: true } },
    ],
    [
      'authorization',
      cacheControl('max-age=60, proxy-revalidate'),
      { asked: { authorization: true }, options: { shareMustRevalidate: true } },
    ],
    [
      'cookie',
      cacheControl('max-age=60, must-revalidate'),
      { asked: { authorization: true, cookie: true }, options: { shareMustRevalidate: true } },
    ],
    ['authorization', {}, { asked: { authorization: true }, options: { ttl: 1000 } }],
    ['cookie', {}, { asked: { cookie: true }, options: { ttl: 1000 } }],
    ['stale', { 'Cache-Control': 'max-age=60, stale-while-revalidate=5', Age: '65' }, {}],
    ['stale', { 'Cache-Control': 'max-age=60', Age: 'x', Date: formatHttpDate(NOW), ETag: '"1"' }, {}],
    ['stale', { 'Cache-Control': 'max-age=0', ETag: '"1"' }, { status: 404 }],
    ['no-freshness', { 'SingleFlight-Cache-Control': 'public', Expires: formatHttpDate(NOW + 60_000) }, {}],
    ['no-freshness', { 'SingleFlight-Cache-Control': 'public', 'Cache-Control': 'max-age=60' }, {}],
    ['trailer', { 'Cache-Control': 'max-age=60', Trailer: 'X-Checksum' }, {}],
  ] as Array<[string, Record<string, string | string[]>, Given]>)('%s: %j, %j', (reason, fields, given) => {
    expect(verdict(fields, given)).toMatchObject({ share: false, reason })
  })

  test.each([400, 401, 403, 405, 413, 414, 431, 500, 501, 502, 503, 504])('by default ttl: %i', (status) => {
    expect(verdict({}, { status, options: { ttl: 1000 } })).toMatchObject({ share: false, reason: 'no-freshness' })
  })

  test.each([
    [400, false],
    [403, false],
    [404, false],
    [429, false],
    [200, true],
    [302, true],
    [401, false],
    [500, false],
  ])('%i: whether the next answer is likely to be of the same kind: %s', (status, lasting) => {
    expect(verdict({}, { status })).toMatchObject({ share: false, lasting })
  })
})

describe('statuses', () => {
  const understood = [200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 414, 501]
  test.each(understood)('%i is understood, RFC 9111 section 5.2.2.3', (status) => {
    expect(verdict(cacheControl('max-age=60, must-understand, no-store'), { status })).toMatchObject({ share: true })
  })

  test.each([201, 202, 205, 226, 304, 305, 309, 402, 406, 411, 413, 415, 418, 429, 431, 500, 502, 503, 504])(
    '%i is not',
    (status) => {
      expect(verdict(cacheControl('max-age=60, must-understand, no-store'), { status })).toMatchObject({ share: false })
    },
  )

  test.each([200, 203, 204, 300, 301, 308, 404, 410])('%i has the default ttl', (status) => {
    expect(lifetime(verdict({}, { status, options: { ttl: 1000 } }))).toMatchObject({ freshness: 1000 })
  })

  test.each([201, 202, 205, 302, 303, 307, 309, 402, 406, 411, 418, 429, 502])('%i has no default ttl', (status) => {
    expect(lifetime(verdict({}, { status, options: { ttl: 1000 } }))).toBe('no-freshness')
  })

  const MODIFIED = { 'Last-Modified': formatHttpDate(NOW - 100_000) }
  const options = { heuristicFreshness: true }
  test.each([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])(
    '%i may be fresh by heuristics, RFC 9110 section 15.1',
    (status) => expect(lifetime(verdict(MODIFIED, { status, options }))).toMatchObject({ freshness: 10_000 }),
  )

  test.each([201, 302, 307, 400, 403, 406, 415, 500, 502])('%i may be so only if it is public', (status) => {
    expect(lifetime(verdict(MODIFIED, { status, options }))).toBe('no-freshness')
    const isPublic = { ...MODIFIED, ...cacheControl('public') }
    expect(lifetime(verdict(isPublic, { status, options }))).toMatchObject({ freshness: 10_000 })
    expect(lifetime(verdict(isPublic, { status }))).toBe('no-freshness')
  })

  test.each([201, 302, 418, 429, 500, 503, 599])('%i is shared where it states its freshness', (status) => {
    expect(lifetime(verdict(cacheControl('max-age=60'), { status }))).toMatchObject({ freshness: 60_000 })
  })
})

test('a response for this moment is kept for nobody, and is to be validated', () => {
  expect(ONLY_NOW).toEqual({
    share: true,
    lifetime: { age: 0, freshness: 0, staleWhileRevalidate: 0, staleIfError: 0 },
    mustValidate: true,
    explicit: false,
    withheld: [],
    vary: [],
  })
})

describe('withheldBy', () => {
  test.each([
    ['nothing said', {}, []],
    ['private and no-cache with names', cacheControl('private="A, b", no-cache=C'), ['a', 'b', 'c']],
    ['private and no-cache without', cacheControl('private, no-cache'), []],
    ['a targeted field goes before', { ...cacheControl('private="a"'), 'CDN-Cache-Control': 'private="b"' }, ['b']],
  ])('%s', (_name, fields, names) => {
    expect(withheldBy(new FieldMap(Object.entries(fields).flat()), ['cdn-cache-control'])).toEqual(names)
  })
})

describe('shared', () => {
  test('on the fields that it varies on, and those of a middleware further in', () => {
    const fields = { ...cacheControl('max-age=60'), Vary: ['B', 'a'] }
    expect(verdict(fields)).toMatchObject({ share: true, vary: ['a', 'b'] })
    expect(verdict(fields, { policy: { alsoVaries: ['x-c'] } })).toMatchObject({ vary: ['a', 'b', 'x-c'] })
    expect(verdict(cacheControl('max-age=60'))).toMatchObject({ vary: [] })
  })

  test.each([
    ['must-revalidate without Authorization', { shareMustRevalidate: true }, false, 'must-revalidate', false],
    ['must-revalidate with Authorization', { shareMustRevalidate: true }, true, 'must-revalidate', true],
    ['public without Authorization', {}, false, 'public', true],
    ['s-maxage without Authorization', {}, false, 's-maxage=5', true],
  ])('explicit: %s', (_name, options, authorization, directive, explicit) => {
    const given = { options, asked: { authorization } }
    expect(verdict(cacheControl(`max-age=60, ${directive}`), given)).toMatchObject({ share: true, explicit })
  })

  test.each([
    ['a policy without a nonce', { 'Content-Security-Policy': "script-src 'self' nonce-a" }],
    ['another kind of stream', { 'Content-Type': 'text/event' }],
    ['what a surrogate may store', { 'Surrogate-Control': 'max-age=5' }],
    ['what another surrogate must not store', { 'Surrogate-Control': 'no-store;other' }],
    ['what is private to a surrogate', { 'Surrogate-Control': 'private' }],
    ['withheld cookies', { 'Cache-Control': 'max-age=60, private="set-cookie, set-cookie2"', 'Set-Cookie2': 'a' }],
    [
      'a targeted field beside a no-store for surrogates, RFC 9213 section 2.2',
      {
        'SingleFlight-Cache-Control': 'max-age=60',
        'Surrogate-Control': 'no-store',
      },
    ],
  ] as Array<[string, Record<string, string>]>)('%s', (_name, fields) => {
    expect(verdict({ ...cacheControl('max-age=60'), ...fields })).toMatchObject({ share: true, mustValidate: false })
  })

  test('with the windows of the options only where it states no freshness', () => {
    const options = { ttl: 1000, staleWhileRevalidate: 2000, staleIfError: 3000 }
    expect(lifetime(verdict(cacheControl('stale-if-error=9'), { options }))).toMatchObject({
      staleWhileRevalidate: 2000,
      staleIfError: 9000,
    })
    expect(lifetime(verdict(cacheControl('must-revalidate'), { options }))).toMatchObject({
      freshness: 1000,
      staleWhileRevalidate: 0,
      staleIfError: 0,
    })
    const targeted = { 'SingleFlight-Cache-Control': 'public', Expires: '0' }
    expect(lifetime(verdict(targeted, { options }))).toMatchObject({ freshness: 1000, staleWhileRevalidate: 2000 })
  })

  test.each([
    ['within its window', '64', false],
    ['at the end of its window', '65', true],
  ])('stale already, %s', (_name, age, mustValidate) => {
    const fields = { 'Cache-Control': 'max-age=60, stale-while-revalidate=5', Age: age, ETag: '"1"' }
    expect(verdict(fields)).toMatchObject({ share: true, mustValidate })
  })

  test.each([
    ['s-maxage before max-age', cacheControl('max-age=1, s-maxage=60'), 60_000],
    ['max-age before Expires', { 'Cache-Control': 'max-age=60', Expires: '0' }, 60_000],
    ['Expires less Date', { Expires: formatHttpDate(NOW + 60_000), Date: formatHttpDate(NOW) }, 60_000],
    ['Expires without Date', { Expires: formatHttpDate(NOW + 60_000) }, 60_000],
    [
      'a targeted field before all',
      { 'Cache-Control': 'no-store', 'SingleFlight-Cache-Control': 'max-age=60' },
      60_000,
    ],
    [
      'must-understand that is understood, before no-store',
      cacheControl('must-understand, no-store, max-age=60'),
      60_000,
    ],
  ] as Array<[string, Record<string, string>, number]>)('fresh as stated: %s', (_name, fields, freshness) => {
    expect(verdict(fields)).toMatchObject({ share: true, lifetime: { freshness } })
  })

  test('a targeted field that is malformed or empty counts for nothing', () => {
    for (const value of ['max-age=60, =', '', 'max-age="60"', 'max-age=60, public=1', 'max-age']) {
      expect(verdict({ 'SingleFlight-Cache-Control': value, 'Cache-Control': 'private' })).toMatchObject({
        share: false,
        reason: 'private',
      })
    }
  })

  test('with identification, where the response allows it: RFC 9111 section 3.5', () => {
    expect(verdict(cacheControl('public, max-age=60'), { asked: { cookie: true } })).toMatchObject({ explicit: true })
    expect(verdict(cacheControl('s-maxage=60'), { asked: { authorization: true } })).toMatchObject({ explicit: true })
    const options = { shareMustRevalidate: true }
    expect(
      verdict(cacheControl('max-age=60, must-revalidate'), { asked: { authorization: true }, options }),
    ).toMatchObject({ explicit: true })
    expect(verdict(cacheControl('max-age=60'))).toMatchObject({ share: true, explicit: false })
  })

  test('without the fields that it withholds', () => {
    const fields = { 'Cache-Control': 'max-age=60, private="X-User", no-cache="Set-Cookie"', 'Set-Cookie': 'a=b' }
    expect(verdict(fields)).toMatchObject({ share: true, withheld: ['x-user', 'set-cookie'] })
  })

  test('for the time of the options, only where it states none', () => {
    const options = { ttl: 1000, staleWhileRevalidate: 2000, staleIfError: 3000 }
    expect(lifetime(verdict({}, { options }))).toEqual({
      age: 0,
      freshness: 1000,
      staleWhileRevalidate: 2000,
      staleIfError: 3000,
    })
    expect(lifetime(verdict(cacheControl('max-age=60'), { options }))).toEqual({
      age: 0,
      freshness: 60_000,
      staleWhileRevalidate: 0,
      staleIfError: 0,
    })
  })

  test('with windows of its own, unless it must be revalidated: RFC 5861', () => {
    const windows = 'stale-while-revalidate=2, stale-if-error=3'
    expect(lifetime(verdict(cacheControl(`s-maxage=1, ${windows}`)))).toMatchObject({
      staleWhileRevalidate: 2000,
      staleIfError: 3000,
    })
    for (const directive of ['must-revalidate', 'proxy-revalidate']) {
      expect(lifetime(verdict(cacheControl(`max-age=1, ${windows}, ${directive}`)))).toMatchObject({
        staleWhileRevalidate: 0,
        staleIfError: 0,
      })
    }
  })

  test('older than it says, by its Age and by its Date', () => {
    expect(lifetime(verdict({ 'Cache-Control': 'max-age=60', Age: '10' }))).toMatchObject({ age: 10_000 })
    expect(
      lifetime(verdict({ 'Cache-Control': 'max-age=60', Age: '10' }, { asked: { at: NOW - 5000 } })),
    ).toMatchObject({ age: 15_000 })
    expect(lifetime(verdict({ 'Cache-Control': 'max-age=60', Date: formatHttpDate(NOW - 20_000) }))).toMatchObject({
      age: 20_000,
    })
  })

  test('by heuristics where it states none: a tenth of the time since its modification, a day at most', () => {
    const options = { heuristicFreshness: true }
    const modified = (ago: number) => ({ 'Last-Modified': formatHttpDate(NOW - ago) })
    expect(lifetime(verdict(modified(100_000), { options }))).toMatchObject({ freshness: 10_000 })
    expect(lifetime(verdict(modified(1e11), { options }))).toMatchObject({ freshness: 86_400_000 })
    expect(lifetime(verdict(modified(100_000), { status: 503, options }))).toBe('no-freshness')
    expect(lifetime(verdict(modified(100_000), { options: { ...options, ttl: 1000 } }))).toMatchObject({
      freshness: 1000,
    })
  })

  test('by Surrogate-Control, where that is meant for this cache', () => {
    const surrogates = (value: string) => ({ 'Cache-Control': 'private', 'Surrogate-Control': value })
    const options = { targetedFields: ['SingleFlight-Cache-Control', 'Surrogate-Control'] }
    expect(lifetime(verdict(surrogates('max-age=60'), { options }))).toMatchObject({ freshness: 60_000 })
    expect(lifetime(verdict(surrogates('max-age=60;herdlock'), { options }))).toMatchObject({ freshness: 60_000 })
    expect(lifetime(verdict(surrogates('max-age=60;other'), { options }))).toBe('private')
    expect(lifetime(verdict(surrogates('content="ESI/1.0"'), { options }))).toBe('private')
    expect(lifetime(verdict(surrogates('max-age=60')))).toBe('private')
  })

  test.each([
    cacheControl('no-cache, max-age=60, stale-while-revalidate=60'),
    cacheControl('max-age=0'),
    cacheControl('max-age=0, must-revalidate'),
    { Expires: '0' },
  ])('to be validated before each reuse, if it can be: %j', (fields) => {
    for (const validator of [{ ETag: '"1"' }, { 'Last-Modified': formatHttpDate(NOW - 1e9) }]) {
      expect(verdict({ ...fields, ...validator })).toMatchObject({ share: true, mustValidate: true })
    }
    expect(verdict({ ...fields, 'Cache-Control': 'max-age=60', ETag: '"1"' })).toMatchObject({ mustValidate: false })
  })
})
