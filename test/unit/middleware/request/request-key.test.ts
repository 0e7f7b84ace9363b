import type { IncomingMessage } from 'node:http'

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { resolveOptions, type SingleFlightOptions } from '../../../../src/middleware/options.ts'
import { plainKey, resourceKey } from '../../../../src/middleware/request/request-key.ts'
import { VaryIndex } from '../../../../src/middleware/stored/vary-index.ts'

interface Request {
  url?: string
  originalUrl?: string
  headers?: Record<string, string>
  encrypted?: boolean
  baseUrl?: string
}

function key(
  { url = '/', originalUrl, baseUrl, headers = {}, encrypted = false }: Request,
  options: SingleFlightOptions = {},
) {
  const req = {
    url,
    headers: { host: 'a', ...headers },
    socket: { encrypted },
    ...(originalUrl !== undefined && { originalUrl }),
    ...(baseUrl !== undefined && { baseUrl }),
  }
  return resourceKey(req as unknown as IncomingMessage, resolveOptions(options))
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
  ])('%j: rewritten outside, or not', (request, url, isRewritten) => {
    expect(key(request) !== key({ url })).toBe(isRewritten)
  })

  test('a plain request has the same key by the quick look', () => {
    const options = resolveOptions({ allowCookies: ['a', 'b'], ignoreQuery: ['c'], sortQuery: true })
    const req = { url: '/?e&d&c=1', headers: { host: 'A:80' }, socket: {} } as unknown as IncomingMessage
    expect(plainKey(req, 'A:80', options)).toBe(resourceKey(req, options))
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
    const options = { key: (req: IncomingMessage) => (req.url === '/none' ? undefined : 'same') }
    expect(key({ url: '/a' }, options)).toBe(key({ url: '/b' }, options))
    expect(key({ url: '/none' }, options)).toBeUndefined()
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
