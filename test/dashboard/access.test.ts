import { connect } from 'node:net'
import type { IncomingMessage } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { createCache } from '../../src/cache/create-cache.ts'
import { whyNotLocal } from '../../src/dashboard/access.ts'
import { dashboard } from '../../src/dashboard/dashboard.ts'
import { resolveDashboard, type DashboardOptions } from '../../src/dashboard/options.ts'
import { ask, served } from './support/served.ts'

const caches = [createCache({ ttl: 1000 })]

describe('options', () => {
  test.each([
    ['options', undefined],
    ['caches', {}],
    ['caches', { caches: [] }],
    ['caches.0', { caches: [{}] }],
    ['caches.users', { caches: { users: null } }],
    ['authorize', { caches, authorize: true }],
    ['allowInvalidate', { caches, allowInvalidate: 'yes' }],
    ['refresh', { caches, refresh: '1s' }],
    ['refresh', { caches, refresh: 10 }],
    ['path', { caches, path: 'herdlock' }],
    ['path', { caches, path: '/herdlock/' }],
    ['path', { caches, path: 7 }],
  ])('that cannot be honoured are refused, by name: %s', (name, options) => {
    expect(() => dashboard(options as never)).toThrow(name)
  })

  test('name caches as told, and else so that they are told apart', () => {
    const [cache] = caches as [(typeof caches)[0]]
    const names = (given: unknown): string[] => [
      ...resolveDashboard({ caches: given } as DashboardOptions).caches.keys(),
    ]
    expect(names({ users: cache, products: cache })).toEqual(['users', 'products'])
    expect(new Set(names([cache, cache, cache])).size).toBe(3)
  })

  test('lack an authorize function in production: it is refused at once', () => {
    expect(() => resolveDashboard({ caches }, 'production')).toThrow('authorize is required')
    expect(resolveDashboard({ caches, authorize: () => true }, 'production').authorize).toBeDefined()
    expect(resolveDashboard({ caches }, 'development').authorize).toBeUndefined()
  })
})

describe('without an authorize function', () => {
  test.each(['localhost:1', '127.0.0.1', '[::1]:80', 'app.localhost:3000'])(
    'a browser may see it at %s',
    async (host) => {
      const { url } = await served()
      for (const path of ['', 'style.css', 'app.js', 'key?cache=main&key=a']) {
        expect(await ask(url + path, { headers: { host } })).toMatchObject({ status: 200 })
      }
    },
  )

  test.each<[string, Record<string, string>]>([
    ['names a host that only leads here', { host: 'attacker.example' }],
    ['names a host that begins like this one', { host: 'localhost.attacker.example' }],
    ['names a host that ends like this one', { host: 'attacker.example:127.0.0.1' }],
    ['was forwarded by a proxy', { 'x-forwarded-for': '127.0.0.1' }],
    ['was forwarded for another host', { 'x-forwarded-host': 'localhost' }],
    ['was forwarded as RFC 7239 has it', { forwarded: 'for=127.0.0.1' }],
    ['was forwarded by way of others', { via: '1.1 proxy' }],
    ['tells a real address', { 'x-real-ip': '127.0.0.1' }],
  ])('a request is refused that %s, and told what to do', async (_what, headers) => {
    const { url, cache } = await served({ allowInvalidate: true })
    await cache.set('key', 'secret')
    for (const path of ['', 'app.js', 'events', 'key?cache=main&key=key']) {
      const answer = await ask(url + path, { headers: { host: 'localhost', ...headers } })
      expect(answer).toMatchObject({ status: 403 })
      expect(answer.text).toContain('authorize function')
    }
    const change = { method: 'POST', body: { cache: 'main', key: 'key' } }
    const type = { 'content-type': 'application/json' }
    expect(
      await ask(`${url}invalidate`, { ...change, headers: { ...type, host: 'localhost', ...headers } }),
    ).toMatchObject({
      status: 403,
    })
    expect(cache.peek('key')).toBe('secret')
  })

  test('a request of HTTP/1.0, as proxies send it, is refused', async () => {
    const { server } = await served()
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.write('GET /herdlock/ HTTP/1.0\r\nHost: localhost\r\n\r\n')
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    await once(socket, 'close')
    expect(text).toMatch(/^HTTP\/1\.1 403 /)
  })

  test.each([
    [undefined, '192.168.1.20', '192.168.1.10'],
    [undefined, '::ffff:10.0.0.9', '::ffff:10.0.0.1'],
    [undefined, '127.0.0.1', '10.0.0.1'],
    [undefined, 'fe80::1', 'fe80::2'],
    [undefined, undefined, undefined], // of a Unix socket, or closed
    ['yes', '127.0.0.1', '127.0.0.1'],
    ['yes', '::1', '::1'],
    ['yes', '::ffff:127.0.0.1', '::ffff:127.0.0.1'],
  ])('may it be seen: %s, from %s at %s', (expected, remoteAddress, localAddress) => {
    const request = { socket: { remoteAddress, localAddress }, headers: { host: 'localhost' }, httpVersionMajor: 1 }
    const reason = whyNotLocal({ ...request, httpVersionMinor: 1 } as IncomingMessage)
    expect(reason).toBe(expected === 'yes' ? undefined : 'the request comes from another host')
  })
})

describe('with an authorize function', () => {
  test('it alone decides, of every request and wherever it comes from', async () => {
    const asked: string[] = []
    const { url } = await served({
      authorize: async (request) => {
        asked.push(String(request.url))
        return request.headers.authorization === 'Bearer right'
      },
    })
    const headers = { host: 'admin.example', 'x-forwarded-for': '1.2.3.4' }
    for (const path of ['', 'style.css', 'key?cache=main&key=a']) {
      expect(await ask(url + path, { headers })).toMatchObject({
        status: 403,
        text: expect.stringContaining('not authorized'),
      })
      expect(await ask(url + path, { headers: { ...headers, authorization: 'Bearer right' } })).toMatchObject({
        status: 200,
      })
    }
    expect(await ask(`${url}events`, { headers })).toMatchObject({ status: 403 })
    expect(asked).toHaveLength(7)
  })

  test.each([
    ['throws', () => Promise.reject(new Error('no database'))],
    [
      'throws at once',
      () => {
        throw new Error('no database')
      },
    ],
  ])('nobody sees anything when it %s', async (_how, authorize) => {
    const { url } = await served({ authorize })
    const answer = await ask(url)
    expect(answer).toMatchObject({ status: 500 })
    expect(answer.text).not.toContain('database')
  })

  test('only true is yes', async () => {
    const { url } = await served({ authorize: () => 'user' as never })
    expect(await ask(url)).toMatchObject({ status: 403 })
  })
})

describe('changes', () => {
  /** What the page of this process would send. */
  async function pageOf(options: Partial<DashboardOptions>) {
    const made = await served({ allowInvalidate: true, ...options })
    const { token } = JSON.parse(
      (
        await ask(`${made.url}invalidate`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: {},
        })
      ).text,
    ) as { token?: string }
    const host = new URL(made.url).host
    const headers = {
      'content-type': 'application/json',
      'x-herdlock-token': token ?? '',
      'sec-fetch-site': 'same-origin',
      origin: `http://${host}`,
    }
    const invalidate = (body: object, own: Record<string, string | undefined> = {}) => {
      const all = Object.entries({ ...headers, ...own }).filter(([, value]) => value !== undefined)
      return ask(`${made.url}invalidate`, {
        method: 'POST',
        body,
        headers: Object.fromEntries(all) as Record<string, string>,
      })
    }
    await made.cache.set('key', 1, { tags: ['tag'] })
    return { ...made, invalidate, token }
  }

  test('are refused unless they are allowed', async () => {
    const { invalidate, cache, token } = await pageOf({ allowInvalidate: false })
    expect(token).toBeUndefined()
    expect(await invalidate({ cache: 'main', key: 'key' })).toMatchObject({ status: 403 })
    expect(cache.peek('key')).toBe(1)
  })

  test('of a key and of a tag are made when they are allowed', async () => {
    const { invalidate, cache } = await pageOf({})
    expect(await invalidate({ cache: 'main', key: 'key' })).toMatchObject({ status: 200, text: '{"done":true}' })
    expect(cache.peek('key')).toBeUndefined()
    await cache.set('key', 2, { tags: ['tag'] })
    expect(await invalidate({ cache: 'main', tag: 'tag' })).toMatchObject({ status: 200 })
    expect(cache.peek('key')).toBeUndefined()
  })

  test.each<[string, Record<string, string | undefined>]>([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a neighbouring site', { 'sec-fetch-site': 'same-site' }],
    [
      'another origin, of a browser that tells no site',
      { 'sec-fetch-site': undefined, origin: 'http://attacker.example' },
    ],
    ['no origin at all', { 'sec-fetch-site': undefined, origin: 'null' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['a form of text', { 'content-type': 'text/plain; a=application/json' }],
    ['somebody who sends no type', { 'content-type': undefined }],
  ])('of %s are refused, the token being right', async (_who, headers) => {
    const { invalidate, cache } = await pageOf({})
    const answer = await invalidate({ cache: 'main', key: 'key' }, headers)
    expect(answer).toMatchObject({ status: 403 })
    expect(answer.text).not.toContain('token')
    expect(cache.peek('key')).toBe(1)
  })

  test('without the token of this process are refused, and may be sent again with it', async () => {
    const { invalidate, cache, token } = await pageOf({})
    for (const wrong of [undefined, '', 'x', `${token}x`]) {
      const answer = await invalidate({ cache: 'main', key: 'key' }, { 'x-herdlock-token': wrong })
      expect(answer).toMatchObject({ status: 409 })
      expect(JSON.parse(answer.text)).toMatchObject({ token })
    }
    expect(cache.peek('key')).toBe(1)
    expect(await invalidate({ cache: 'main', key: 'key' })).toMatchObject({ status: 200 })
  })

  test.each(['GET', 'PUT', 'DELETE', 'HEAD'])('by %s are not allowed', async (method) => {
    const { url } = await pageOf({})
    expect(await ask(`${url}invalidate`, { method })).toMatchObject({ status: 405, headers: { allow: 'POST' } })
  })

  test.each([
    [404, { cache: 'other', key: 'key' }],
    [404, { cache: '__proto__', key: 'key' }],
    [404, []],
    [400, { cache: 'main' }],
    [400, { cache: 'main', key: '' }],
    [400, { cache: 'main', key: { toString: 1 } }],
    [400, { cache: 'main', tag: 7 }],
    [404, { cache: 'main', key: 'x'.repeat(70_000) }],
  ])('that make no sense are answered with %i: %j', async (status, body) => {
    const { invalidate } = await pageOf({})
    expect(await invalidate(body)).toMatchObject({ status })
  })
})

test('another site may link to the page, and gets nothing else of it', async () => {
  const { url } = await served()
  const foreign = { 'sec-fetch-site': 'cross-site' }
  expect(await ask(url, { headers: { ...foreign, 'sec-fetch-mode': 'navigate' } })).toMatchObject({ status: 200 })
  for (const path of ['app.js', 'events', 'key?cache=main&key=a']) {
    expect(await ask(url + path, { headers: { ...foreign, 'sec-fetch-mode': 'no-cors' } })).toMatchObject({
      status: 403,
    })
  }
})

test('every answer forbids scripts of others, frames, guessing, keeping and telling where one comes from', async () => {
  const { url } = await served()
  for (const [path, headers] of [
    ['', {}],
    ['app.js', {}],
    ['key?cache=main&key=a', {}],
    ['', { host: 'attacker.example' }],
  ] as const) {
    const answer = await ask(url + path, { headers })
    const policy = String(answer.headers['content-security-policy'])
    expect(policy).toMatch(/^default-src 'none'; script-src 'nonce-[\w-]{22}'; style-src 'nonce-/)
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe')
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    })
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin')
  }
  const [first, second] = await Promise.all([ask(url), ask(url)])
  expect(first.headers['content-security-policy']).not.toBe(second.headers['content-security-policy'])
  expect(first.text).not.toMatch(/<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|__NONCE__/)
})
