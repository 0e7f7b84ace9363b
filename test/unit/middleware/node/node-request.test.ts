import type { IncomingMessage } from 'node:http'

import { describe, expect, test } from 'vitest'

import { NodeRequest } from '../../../../src/middleware/node/node-request.ts'

test.each([
  ['a TLS socket', { encrypted: true }, true],
  ['a plain socket', {}, false],
  ['a socket that says something else', { encrypted: 'no' }, false],
  ['a socket that is gone', null, false],
])('isEncrypted: %s', (_name, socket, expected) => {
  expect(new NodeRequest({ headers: {}, socket } as unknown as IncomingMessage).isEncrypted).toBe(expected)
})

test.each([
  [{ url: '/a' }, '/a', '/a', undefined],
  [{ url: '/b', originalUrl: '/a/b', baseUrl: '/a' }, '/a/b', '/b', '/a'],
  [{ url: '/b', originalUrl: '/a/b' }, '/a/b', '/b', undefined],
  [{}, '', '', undefined],
])('%j: where it came to, and what is left of it', (routed, target, url, mount) => {
  expect(new NodeRequest(routed as IncomingMessage)).toMatchObject({ target, url, mount })
})

describe('a GET like a request', () => {
  interface Routed {
    url?: string
    originalUrl?: string
    baseUrl?: string
  }

  test.each([
    ['in no mount', { url: '/item' }, '/other', '/other'],
    ['in a mount of Express', { url: '/item', originalUrl: '/api/item', baseUrl: '/api' }, '/api/other', '/other'],
    ['out of a mount of Express', { url: '/item', originalUrl: '/api/item', baseUrl: '/api' }, '/b', '/b'],
    ['in a mount of Connect', { url: '/item', originalUrl: '/api/item' }, '/api/other', '/other'],
    ['the mount itself', { url: '/', originalUrl: '/api' }, '/api', '/'],
    ['the mount with a query', { url: '/?a', originalUrl: '/api?a' }, '/api?b', '/?b'],
    ['rewritten in a mount', { url: '/b', originalUrl: '/api/a', baseUrl: '/api' }, '/api/c', '/c'],
    ['rewritten outside', { url: '/b', originalUrl: '/a' }, '/a', '/a'],
    ['no URL at all', {}, '/a', '/a'],
  ] as Array<[string, Routed, string, string]>)('%s', (_name, routed, target, url) => {
    const req = { method: 'POST', headers: { host: 'a' }, socket: {}, ...routed } as unknown as IncomingMessage
    const get = new NodeRequest(req).getsLike()(target).native
    expect([get.method, get.url, get.originalUrl, get.baseUrl]).toEqual(['GET', url, target, routed.baseUrl])
    expect(get.socket).toBe(req.socket)
  })

  test('has the headers as they were, and leaves the request as it is', () => {
    const headers: Record<string, string> = { host: 'a', cookie: 'b' }
    const req = { method: 'POST', url: '/a', headers } as unknown as IncomingMessage
    const getFor = new NodeRequest(req).getsLike()
    delete headers['cookie']
    const get = getFor('/b').native
    expect(get.headers).toEqual({ host: 'a', cookie: 'b' })
    get.url = '/c'
    expect([req.method, req.url, 'query' in get, 'baseUrl' in get]).toEqual(['POST', '/a', false, false])
  })

  test.each([
    ['/a?b=1&c=2', { b: '1', c: '2' }],
    ['/a', {}],
    ['//', {}],
    ['//?b=1', { b: '1' }],
  ])('has the query of %s where Express 4 has parsed one', (target, query) => {
    const req = { url: '/?x=1', headers: {}, query: { x: '1' } } as unknown as IncomingMessage
    expect(new NodeRequest(req).getsLike()(target).native).toHaveProperty('query', query)
  })
})
