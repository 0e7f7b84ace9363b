import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'

import { describe, expect, test } from 'vitest'

import { plainHost } from '../../../../src/middleware/node/plain-host.ts'

function requestWith(rawHeaders: string[]): IncomingMessage {
  const req = new IncomingMessage(new Socket())
  // What Node's own parser calls.
  type Parsed = IncomingMessage & { _addHeaderLines(rawHeaders: string[], length: number): void }
  ;(req as Parsed)._addHeaderLines(rawHeaders, rawHeaders.length)
  return req
}

describe.each(['as it came', 'once somebody has looked at its headers'])('plainHost of a request %s', (when) => {
  function hostOf(rawHeaders: string[]): string | undefined {
    const req = requestWith(rawHeaders)
    if (when !== 'as it came') void req.headers
    return plainHost(req)
  }

  test.each([
    [['Host', 'a'], 'a'],
    [['host', 'a', 'User-Agent', 'b', 'Accept', '*/*', 'X-Anything', 'c'], 'a'],
    [[], ''],
    [['HOST', 'A:80'], 'A:80'],
  ])('%j: nothing else counts', (rawHeaders, host) => {
    expect(hostOf(rawHeaders)).toBe(host)
  })

  test.each([
    ...['Cookie', 'AUTHORIZATION', 'x-forwarded-host', 'X-Original-URL', 'Forwarded', 'X-HTTP-Method-Override'],
    ...['If-None-Match', 'If-Modified-Since', 'If-Match', 'If-Unmodified-Since', 'If-Range', 'Range'],
    ...['Content-Length', 'Transfer-Encoding', 'Upgrade', 'Expect', 'Idempotency-Key'],
  ])('%s tells more', (name) => {
    expect(hostOf(['Host', 'a', name, 'b'])).toBeUndefined()
    // Known by now, and no different.
    expect(hostOf([name, 'b', 'Host', 'a'])).toBeUndefined()
    expect(hostOf([name, 'b'])).toBeUndefined()
  })
})

test('more spellings than are remembered', () => {
  const spellings = Array.from({ length: 1100 }, (_, index) => `X-${index}`)
  expect(plainHost(requestWith([...spellings.flatMap((name) => [name, 'a']), 'hOsT', 'a']))).toBe('a')
  expect(plainHost(requestWith(['Host', 'a', 'cOoKiE', 'b']))).toBeUndefined()
})

test('two hosts tell more', () => {
  expect(plainHost(requestWith(['Host', 'a', 'Host', 'b']))).toBeUndefined()
})

describe('what a layer outside puts on the request', () => {
  test.each([
    ['in headers', (req: IncomingMessage) => (req.headers.authorization = 'Bearer a')],
    ['in other headers', (req: IncomingMessage) => (req.headers = { host: 'a', authorization: 'Bearer a' })],
    [
      'in headers of its own',
      (req: IncomingMessage) => Object.defineProperty(req, 'headers', { value: { host: 'a', authorization: 'b' } }),
    ],
  ])('%s tells more', (_where, put) => {
    const req = requestWith(['Host', 'a'])
    put(req)
    expect(plainHost(req)).toBeUndefined()
  })

  test('one that it has set to undefined tells nothing', () => {
    const req = requestWith(['Host', 'a', 'Cookie', 'b'])
    ;(req.headers as Record<string, unknown>)['cookie'] = undefined
    expect(plainHost(req)).toBe('a')
  })

  test('and what it takes away tells nothing', () => {
    const req = requestWith(['Host', 'a', 'Cookie', 'b'])
    delete req.headers.cookie
    expect(plainHost(req)).toBe('a')
  })
})
