import { describe, expect, test } from 'vitest'

import { FetchRequest } from '../../../../src/middleware/fetch/fetch-request.ts'
import { originOf } from '../../../../src/middleware/request/origin.ts'

const view = (url: string, init: RequestInit = {}): FetchRequest => new FetchRequest(new Request(url, init))

test.each([
  ['http://a.example/b?c=1', '/b?c=1', false],
  ['https://a.example:8443/', '/', true],
  ['http://a.example?b', '/?b', false],
  ['http://[::1]:80/x//y?a=%2f', '/x//y?a=%2f', false],
])('%s: what was asked for', (url, target, isEncrypted) => {
  expect(view(url)).toMatchObject({ method: 'GET', target, url: target, isEncrypted, mount: undefined })
})

test('a URL without any path', () => {
  expect(new FetchRequest({ url: 'http://a.example' } as Request).target).toBe('')
})

describe('the host', () => {
  test.each([
    ['of the URL where no field says it', {}, 'http://a.example:1/', 'http://a.example:1', undefined],
    ['of Host where that says the same', { Host: 'A.example' }, 'http://a.example/', 'http://a.example', undefined],
    [
      'of Host with a default port',
      { Host: 'a.example:443' },
      'https://a.example/',
      'https://a.example:443',
      undefined,
    ],
    ['of the URL where Host says another', { Host: 'b.example' }, 'http://a.example/', 'http://a.example', 'a.example'],
  ])('%s', (_name, headers, url, origin, authority) => {
    const request = view(url, { headers })
    expect([originOf(request), request.headers[':authority']]).toEqual([origin, authority])
  })
})

test('fields go by lower-case names, and __proto__ is one', () => {
  const { headers } = view('http://a.example/', {
    headers: [
      ['X-A', '1'],
      ['x-a', '2'],
      ['__proto__', '3'],
    ],
  })
  expect(headers['x-a']).toBe('1, 2')
  expect(Object.keys(headers).toSorted()).toEqual(['__proto__', 'host', 'x-a'])
})

test.each([
  [{ accept: '*/*', 'user-agent': 'a' }, 'a.example'],
  [{ host: 'a.example' }, 'a.example'],
  [{ host: 'b.example' }, undefined],
  [{ cookie: 'a=1' }, undefined],
  [{ 'X-Forwarded-Host': 'b.example' }, undefined],
  [{ range: 'bytes=0-1' }, undefined],
])('plainHost with %j', (headers, host) => {
  expect(view('http://a.example/', { headers: headers as Record<string, string> }).plainHost).toBe(host)
})

test('a GET like a request has its fields as they were', () => {
  const request = new Request('https://a.example/b', { method: 'POST', headers: { cookie: 'a' } })
  const getFor = new FetchRequest(request).getsLike()
  request.headers.delete('cookie')
  const get = getFor('/c?d')
  expect([get.method, get.target, get.isEncrypted, get.headers['cookie']]).toEqual(['GET', '/c?d', true, 'a'])
})
