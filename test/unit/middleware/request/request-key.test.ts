import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { type OptionsFor, resolveOptions } from '../../../../src/middleware/options.ts'
import { plainKey, resourceKey } from '../../../../src/middleware/request/request-key.ts'
import { VaryIndex } from '../../../../src/middleware/stored/vary-index.ts'

interface Request {
  url?: string
  originalUrl?: string
  headers?: Record<string, string>
  encrypted?: boolean
  baseUrl?: string
}

function view({ url = '/', originalUrl, baseUrl, headers = {}, encrypted = false }: Request) {
  return {
    ...{ native: { url }, method: 'GET', headers: { host: 'a', ...headers }, isEncrypted: encrypted },
    ...{ target: originalUrl ?? url, url, mount: baseUrl },
    getsLike: () => () => expect.unreachable(),
  }
}

function key(request: Request, options: OptionsFor<{ url: string }> = {}) {
  return resourceKey(view(request), resolveOptions(options))
}

describe('resourceKey', () => {
  test('hosts are the same in any case and with the default port', () => {
    expect(key({ headers: { host: 'EXAMPLE.org:80' } })).toBe(key({ headers: { host: 'example.org' } }))
    expect(key({ headers: { host: 'example.org:443' }, encrypted: true })).toBe(
      key({ headers: { host: 'example.org' }, encrypted: true }),
    )
    expect(key({ headers: { host: 'example.org:443' } })).not.toBe(key({ headers: { host: 'example.org' } }))
  })

  test('schemes, hosts and URLs are told apart, byte for byte', () => {
    const requests: Request[] = [
      {},
      { encrypted: true },
      { headers: { host: 'b' } },
      { url: '/?' },
      { url: '//' },
      { url: '/a' },
      { url: '/A' },
      { url: '/%61' },
      { url: '/?a=1&b=2' },
      { url: '/?b=2&a=1' },
      { headers: { 'x-forwarded-host': 'a' } },
      { headers: { 'x-forwarded-proto': 'a' } },
      { headers: { forwarded: 'host=a' } },
      { headers: { forwarded: 'proto=a' } },
      { headers: { ':authority': 'b' } },
      { headers: { ':authority': 'b', host: 'b' }, encrypted: true },
      { headers: { ':scheme': 'https' } },
      { originalUrl: '/other' },
      { url: '/b', originalUrl: '/a' },
      { url: '/?b', originalUrl: '/a?c' },
    ]
    expect(new Set(requests.map((request) => key(request))).size).toBe(requests.length)
  })

  test('the URL counts as it came, whatever routers have made of it', () => {
    expect(key({ url: '/item', originalUrl: '/api/item' })).toBe(key({ url: '/api/item' }))
  })

  test.each([
    [{ url: '/item', originalUrl: '/api/item', baseUrl: '/api' }, '/api/item', false],
    [{ url: '/', originalUrl: '/api', baseUrl: '/api' }, '/api', false],
    [{ url: '/?a', originalUrl: '/api?a', baseUrl: '/api' }, '/api?a', false],
    [{ url: '/api/item', originalUrl: '/api/item', baseUrl: '' }, '/api/item', false],
    [{ url: '/?a', originalUrl: '/api?a' }, '/api?a', false],
    [{ url: '/item', originalUrl: '/api/item', baseUrl: '' }, '/api/item', true],
    [{ url: '/api/item', originalUrl: '/item', baseUrl: '' }, '/item', true],
    [{ url: '/', originalUrl: '/api/', baseUrl: '' }, '/api/', true],
    [{ url: '/', originalUrl: '/secret' }, '/secret', true],
    [{ url: '/b', originalUrl: '/API/b', baseUrl: '/api' }, '/API/b', true],
    [{ url: '/', originalUrl: '/' }, '/', false],
    [{ url: '/', originalUrl: '/secret/' }, '/secret/', true],
    [{ url: '/item', originalUrl: '/apitem' }, '/apitem', true],
    [{ url: '//b', originalUrl: '/api/b', baseUrl: '/api' }, '/api/b', true],
    [{ url: '/y', originalUrl: '/apix', baseUrl: '/api' }, '/apix', true],
    [{ url: '/c', originalUrl: '/api/b', baseUrl: '/api' }, '/api/b', true],
    [{ url: '/?b', originalUrl: '/api?a', baseUrl: '/api' }, '/api?a', true],
  ])('%j: rewritten outside, or not', (request, url, isRewritten) => {
    expect(key(request) !== key({ url })).toBe(isRewritten)
  })

  test.each([
    ['both name the default port', { 'x-forwarded-proto': 'https' }, 'a:443', 'a', true],
    ['the port is that of another scheme', { 'x-forwarded-proto': 'https' }, 'a:80', 'a', false],
    ['the scheme is unknown', { 'x-forwarded-proto': 'https, http' }, 'a:80', 'a', false],
    ['the scheme is unknown and the case differs', { 'x-forwarded-proto': 'https, http' }, 'A', 'a', true],
    ['another host ends like it', {}, 'b:80', 'a', false],
  ])('Host behind a proxy: %s', (_name, headers, one, other, isSame) => {
    expect(key({ headers: { ...headers, host: one } }) === key({ headers: { ...headers, host: other } })).toBe(isSame)
  })

  test.each([
    ...['x-forwarded-host', 'x-forwarded-port', 'x-forwarded-prefix', 'x-forwarded-proto', 'x-forwarded-scheme'],
    ...['x-forwarded-server', 'x-forwarded-ssl', 'x-host', 'x-original-host', 'x-original-url', 'x-rewrite-url'],
  ])('%s counts, by its value', (name) => {
    const keys = [{}, { [name]: '' }, { [name]: 'a' }, { [name]: 'b' }].map((headers) => key({ headers }))
    expect(new Set(keys).size).toBe(4)
  })

  test.each([
    ['addresses on the way change nothing', 'for=a;proto=http', 'for=b;proto=http', true],
    ['hosts do', 'host=b', 'host=c', false],
    ['a malformed one counts as a whole', 'for="a', 'for="b', false],
  ])('Forwarded: %s', (_name, one, other, isSame) => {
    expect(key({ headers: { forwarded: one } }) === key({ headers: { forwarded: other } })).toBe(isSame)
  })

  test.each([
    ['Host says the same as :authority', { ':authority': 'a', host: 'a' }, { ':authority': 'a' }, true],
    ['Host says something else', { ':authority': 'a', host: 'b' }, { ':authority': 'a', host: 'a' }, false],
    ['two other hosts', { ':authority': 'a', host: 'b' }, { ':authority': 'a', host: 'c' }, false],
    [':scheme is that of the connection', { ':scheme': 'http' }, {}, true],
    [':scheme is not that of the connection', { ':scheme': 'https' }, {}, false],
    ['two other schemes', { ':scheme': 'ws' }, { ':scheme': 'wss' }, false],
  ] as Array<[string, Record<string, string>, Record<string, string>, boolean]>)(
    'HTTP/2: %s',
    (_name, one, other, isSame) => {
      expect(key({ headers: one }) === key({ headers: other })).toBe(isSame)
    },
  )

  test.each([
    ['the value counts', { a: 'x' }, { a: 'y' }, false],
    ['absent and empty differ', {}, { a: '' }, false],
    ['absent and undefined differ', {}, { a: 'undefined' }, false],
    ['others do not count', { b: 'x' }, { b: 'y' }, true],
  ] as Array<[string, Record<string, string>, Record<string, string>, boolean]>)(
    'a field or cookie that is part of the key: %s',
    (_name, one, other, isSame) => {
      const cookie = (values: Record<string, string>) => ({
        cookie: Object.entries(values)
          .map(([name, value]) => `${name}=${value}`)
          .join('; '),
      })
      expect(key({ headers: one }, { keyHeaders: ['A'] }) === key({ headers: other }, { keyHeaders: ['A'] })).toBe(
        isSame,
      )
      expect(
        key({ headers: cookie(one) }, { allowCookies: ['a'] }) ===
          key({ headers: cookie(other) }, { allowCookies: ['a'] }),
      ).toBe(isSame)
    },
  )

  test('HTTP/2 over TLS says nothing more by its :scheme', () => {
    expect(key({ headers: { ':scheme': 'https' }, encrypted: true })).toBe(key({ encrypted: true }))
  })

  test('a request without any URL or host has a key', () => {
    expect(resourceKey({ ...view({ url: '' }), headers: {} }, resolveOptions({}))).toBe('h0:0:')
  })

  test('a rewritten URL is keyed by the rules for queries, and so is the one that came', () => {
    const options = { ignoreQuery: ['c'] }
    expect(key({ url: '/b?c=1', originalUrl: '/a?c=2' }, options)).toBe(
      key({ url: '/b?c=3', originalUrl: '/a?c=4' }, options),
    )
  })

  test('a plain request has the same key by the quick look', () => {
    const options = resolveOptions({ allowCookies: ['a', 'b'], ignoreQuery: ['c'], sortQuery: true })
    const plain = view({ url: '/?e&d&c=1', headers: { host: 'A:80' } })
    expect(plainKey(plain, 'A:80', options)).toBe(resourceKey(plain, options))
    expect(plainKey(plain, 'A:80', resolveOptions({}))).toBe(resourceKey(plain, resolveOptions({})))
    const tls = view({ url: '/?e&d&c=1', headers: { host: 'A:443' }, encrypted: true })
    expect(plainKey(tls, 'A:443', options)).toBe(resourceKey(tls, options))
  })

  test('no two different requests have the same key', () => {
    // Texts that are made of what keys are made of.
    const text = fc.string({ unit: fc.constantFrom('1', ':', '-', '|', 'a', '/'), maxLength: 6 })
    const request = fc.record({ url: text, host: text, a: fc.option(text), b: fc.option(text) })
    const options = { keyHeaders: ['x-a', 'X-B'] }
    const keyOf = ({ url, host, a, b }: { url: string; host: string; a: string | null; b: string | null }) =>
      key({ url, headers: { host, ...(a !== null && { 'x-a': a }), ...(b !== null && { 'x-b': b }) } }, options)
    const isSame = (one: string | null, other: string | null) => one === other
    fc.assert(
      fc.property(request, request, (one, other) => {
        const same =
          one.url === other.url && one.host === other.host && isSame(one.a, other.a) && isSame(one.b, other.b)
        expect(keyOf(one) === keyOf(other)).toBe(same)
      }),
      { numRuns: 5000 },
    )
  })

  test('a key of the application takes the place of the URL; undefined stands aside', () => {
    const options = { key: (req: { url: string }) => (req.url === '/none' ? undefined : 'same') }
    expect(key({ url: '/a' }, options)).toBe(key({ url: '/b' }, options))
    expect(key({ url: '/none' }, options)).toBeUndefined()
    expect(key({}, { key: () => 'a' })).not.toBe(key({}, { key: () => 'b' }))
    expect(key({ headers: { 'x-host': 'b' } }, options)).not.toBe(key({}, options))
    expect(key({}, { key: () => '1:a1:/' })).not.toBe(key({}))
    expect(() => key({}, { key: () => 1 as never })).toThrow(
      'the result of key must be a string or undefined, received 1',
    )
  })
})

test('no two different selections have the same variant', () => {
  const text = fc.string({ unit: fc.constantFrom('1', ':', '-', '|', 'a'), maxLength: 5 })
  const headers = fc.record({ a: fc.option(text), b: fc.option(text) })
  const index = new VaryIndex('g', ['a', 'b'])
  const keyOf = ({ a, b }: { a: string | null; b: string | null }) =>
    index.variantKey('key', { ...(a !== null && { a }), ...(b !== null && { b }) })
  fc.assert(
    fc.property(headers, headers, (one, other) => {
      expect(keyOf(one) === keyOf(other)).toBe(one.a === other.a && one.b === other.b)
    }),
    { numRuns: 5000 },
  )
})
