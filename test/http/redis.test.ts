import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'

import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'

import { createCacheOn } from '../../src/cache/create-cache.ts'
import { createMiddleware } from '../../src/middleware/node/single-flight.ts'
import { systemRandom } from '../../src/random.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'
import { ask, open } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { listen, type PlainHandler } from './support/serve.ts'
import { SkippingClock } from './support/skipping-clock.ts'

const HOST = { Host: 'shop.example' }

/** Servers with caches of their own that share a Redis, as processes do. */
async function serveTwice(handler: PlainHandler) {
  const prefix = uniquePrefix('http')
  const servers = await Promise.all(
    [1, 2].map(async () => {
      const redis = new Redis(sharedRedis().url)
      const clock = new SkippingClock()
      const cache = createCacheOn({ ttl: 60_000, redis, prefix }, clock, systemRandom)
      const flight = createMiddleware({ cache }, { clock, random: systemRandom })
      onTestFinished(async () => {
        await cache.close()
        redis.disconnect()
      })
      const { url, server } = await listen(createServer((req, res) => flight(req, res, () => handler(req, res))))
      const get = (path = '/', headers: Record<string, string> = {}, method = 'GET') =>
        ask(url + path, { headers: { ...HOST, ...headers }, method })
      return { cache, clock, get, server, url }
    }),
  )
  const [first, second] = servers
  if (first === undefined || second === undefined) throw new Error('there are two')
  return { first, second, prefix }
}

describe('two processes with one Redis', () => {
  test('run the handler once for all who ask them at the same time', async () => {
    let runs = 0
    const gate = new Gate()
    const { first, second } = await serveTwice(async (_req, res) => {
      runs++
      await gate.pass()
      res.setHeader('Cache-Control', 'max-age=60')
      res.end('page')
    })
    const asked = [first, second].flatMap(({ get }) => Array.from({ length: 50 }, () => get()))
    await gate.reached
    gate.open()
    expect(new Set((await Promise.all(asked)).map(({ body }) => body))).toEqual(new Set(['page']))
    expect(runs).toBe(1)
  })

  test('give out what the other has stored, byte for byte, in part, and as 304', async () => {
    let runs = 0
    const body = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 256))
    const { first, second } = await serveTwice((_req, res) => {
      runs++
      res.writeHead(200, 'Fine', ['Cache-Control', 'max-age=60', 'ETag', '"é"', 'Link', '</a>', 'Link', '</b>'])
      res.end(body)
    })
    await first.get()
    const answer = await second.get()
    expect(answer.bytes.equals(body)).toBe(true)
    expect(answer.headers).toMatchObject({ link: '</a>, </b>', etag: '"é"', age: '0' })
    expect((await second.get('/', { Range: 'bytes=255-256' })).bytes).toEqual(Buffer.from([255, 0]))
    expect((await second.get('/', { 'If-None-Match': '*' })).status).toBe(304)
    expect(runs).toBe(1)
  })

  test('learn at the header that a response is not to be shared', async () => {
    const header = new Gate()
    const rest = new Gate()
    let runs = 0
    const { first, second } = await serveTwice(async (req, res) => {
      if (++runs > 1) return res.end(`for ${String(req.headers['x-user'])}`)
      await header.pass()
      res.setHeader('Cache-Control', 'private')
      res.write('for ')
      await rest.pass()
      return res.end(req.headers['x-user'])
    })
    const leader = first.get('/', { 'X-User': 'a' })
    await header.reached
    const waiters = ['b', 'c'].map((user) => second.get('/', { 'X-User': user }))
    header.open()
    // They are answered while the first answer is still being written.
    expect((await Promise.all(waiters)).map(({ body }) => body)).toEqual(['for b', 'for c'])
    rest.open()
    expect((await leader).body).toBe('for a')
  })

  test('learn that a response is private, and release all who wait at once', async () => {
    const verdict = new Gate()
    const end = new Gate()
    const waiters = 20
    let runs = 0
    const { first, second } = await serveTwice(async (req, res) => {
      // Those who are released have not even begun to answer.
      await (++runs === 1 ? verdict : end).pass()
      res.setHeader('Cache-Control', 'private')
      res.end(`for ${String(req.headers['x-user'])}`)
    })
    const asUser = (site: typeof first, user: string) => site.get('/', { 'X-User': user })
    const leader = asUser(first, 'leader')
    await verdict.reached
    const others = Array.from({ length: waiters }, (_, index) => asUser(second, `user ${index}`))
    await expect.poll(() => second.cache.stats().coalesced).toBe(waiters - 1)
    verdict.open()
    await expect.poll(() => runs).toBe(1 + waiters)
    end.open()
    expect((await leader).body).toBe('for leader')
    for (const [index, { body }] of (await Promise.all(others)).entries()) expect(body).toBe(`for user ${index}`)
  })

  test('do not hold up a request with Authorization by a run of the other', async () => {
    const gate = new Gate()
    let runs = 0
    const { first, second } = await serveTwice(async (req, res) => {
      if (++runs === 1) await gate.pass()
      res.end(`for ${String(req.headers.authorization)}`)
    })
    const leader = first.get('/', { Authorization: 'alice' })
    await gate.reached
    expect((await second.get('/', { Authorization: 'bob' })).body).toBe('for bob')
    gate.open()
    expect((await leader).body).toBe('for alice')
  })

  test('forget what an unsafe request to the other has changed', async () => {
    let version = 1
    const { first, second } = await serveTwice((req, res) => {
      if (req.method === 'POST') version++
      else res.setHeader('Cache-Control', 'max-age=60')
      res.end(`version ${version}`)
    })
    await Promise.all([first.get(), second.get()])
    await first.get('/', {}, 'POST')
    await expect.poll(async () => (await second.get()).body).toBe('version 2')
    expect((await first.get()).body).toBe('version 2')
  })

  test('tell the variants of a response apart', async () => {
    let runs = 0
    const { first, second } = await serveTwice((req, res) => {
      runs++
      res.setHeader('Cache-Control', 'max-age=60')
      res.setHeader('Vary', 'X-Language')
      res.end(`in ${String(req.headers['x-language'])}`)
    })
    const languages = ['de', 'en', 'fr']
    for (const { get } of [first, second, first]) {
      for (const language of languages) {
        expect((await get('/', { 'X-Language': language })).body).toBe(`in ${language}`)
      }
    }
    expect(runs).toBe(3)
  })

  test('find what the other has stored for HEAD and for only-if-cached', async () => {
    let runs = 0
    const { first, second } = await serveTwice((req, res) => {
      runs++
      res.setHeader('Cache-Control', 'max-age=60')
      if (req.url === '/varied') res.setHeader('Vary', 'X-Language')
      res.end(`in ${String(req.headers['x-language'])}`)
    })
    const german = { 'X-Language': 'de', 'Cache-Control': 'only-if-cached' }
    for (const path of ['/', '/varied']) {
      await first.get(path, { 'X-Language': 'de' })
      await expect.poll(async () => (await second.get(path, german)).body).toBe('in de')
      const head = await second.get(path, { 'X-Language': 'de' }, 'HEAD')
      expect([head.headers['content-length'], head.headers['cache-status']]).toEqual([
        '5',
        expect.stringMatching('hit'),
      ])
      expect((await second.get(path, german, 'HEAD')).status).toBe(200)
    }
    expect((await second.get('/varied', { ...german, 'X-Language': 'en' })).status).toBe(504)
    expect((await second.get('/other', german)).status).toBe(504)
    expect(runs).toBe(2)
  })

  test('a HEAD that waits for a GET never runs the handler in its place, though its client alone is left', async () => {
    const gate = new Gate()
    let runs = 0
    const { first, second } = await serveTwice(async (req, res) => {
      res.setHeader('Cache-Control', 'max-age=60')
      if (++runs === 1) await gate.pass()
      res.end(`${req.method} body`)
    })
    const leader = first.get()
    await gate.reached
    const waits = new Promise((resolve) => second.cache.on('miss', resolve))
    const gone = once(second.server, 'connection').then(([socket]) => once(socket as Socket, 'close'))
    const waiter = open(second.url, { headers: HOST })
    await waits
    const head = second.get('/', {}, 'HEAD')
    // Whoever asks Redis after it has its answer after it.
    expect((await second.get('/other', { 'Cache-Control': 'only-if-cached' })).status).toBe(504)
    waiter.leave()
    await gone
    await first.cache.close() // gives the lease back: the other process may try
    expect((await head).status).toBe(200)
    expect((await second.get()).body).toBe('GET body')
    gate.open()
    await leader
  })

  test('validate what the other has stored', async () => {
    const seen: unknown[] = []
    const { first, second } = await serveTwice((req, res) => {
      seen.push(req.headers['if-none-match'])
      res.writeHead(seen.length === 1 ? 200 : 304, { 'Cache-Control': 'no-cache', ETag: '"v1"' })
      res.end(seen.length === 1 ? 'page' : '')
    })
    await first.get()
    await expect.poll(async () => (await second.get()).headers['cache-status']).toContain('fwd-status=304')
    expect((await second.get()).body).toBe('page')
    expect(seen.slice(1)).toEqual(seen.slice(1).map(() => '"v1"'))
  })

  test.each([
    ['a field that would split the response', (text: string) => text.replace('text/plain', 'a\\r\\nSet-Cookie: b')],
    ['a name that is none', (text: string) => text.replace('X-Name-12345', 'X Name-12345')],
    ['a status that is none', (text: string) => text.replace('"status":200', '"status":"2"')],
    ['a body of another length', (text: string) => text.slice(0, -1)],
    ['nothing we know', () => 'garbage'],
  ])('take an entry with %s for none', async (_name, damage) => {
    let runs = 0
    const { first, second, prefix } = await serveTwice((_req, res) => {
      runs++
      res.setHeader('Cache-Control', 'max-age=60')
      res.setHeader('Content-Type', 'text/plain')
      res.setHeader('X-Name-12345', 'value')
      res.end('page')
    })
    await first.get()
    const redis = new Redis(sharedRedis().url)
    onTestFinished(() => redis.disconnect())
    const keys = await redis.keys(`${prefix}*`)
    let damaged = 0
    for (const key of keys) {
      const before = await redis.getBuffer(key).catch(() => null)
      const text = before?.toString('latin1')
      if (text === undefined || !text.includes('X-Name-12345')) continue
      const after = damage(text)
      expect(after).not.toBe(text)
      await redis.set(key, Buffer.from(after, 'latin1'), 'KEEPTTL')
      damaged++
    }
    expect(damaged).toBe(1)
    const answer = await second.get()
    expect([answer.body, answer.headers['set-cookie'], runs]).toEqual(['page', undefined, 2])
  })
})
