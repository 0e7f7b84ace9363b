import { createServer } from 'node:http'

import express from 'express'
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'

import type { Cache } from '../../src/cache/cache.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { singleFlight as fetchFlight } from '../../src/middleware/fetch/single-flight.ts'
import { singleFlight as nodeFlight } from '../../src/middleware/node/single-flight.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'
import { ask } from './support/client.ts'
import { listenerOf } from './support/fetch-server.ts'
import { listen, refilled } from './support/serve.ts'

const BODY = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 256))
const FIELDS = { 'Cache-Control': 'max-age=60', ETag: '"1"', 'Content-Type': 'image/x-icon', Vary: 'Accept' }

function onRedis(): () => Cache {
  const prefix = uniquePrefix('edges')
  return () => {
    const redis = new Redis(sharedRedis().url)
    const cache = createCache({ ttl: 60_000, redis, prefix })
    onTestFinished(async () => {
      await cache.close()
      redis.disconnect()
    })
    return cache
  }
}

function inMemory(): () => Cache {
  const cache = createCache({ ttl: 60_000 })
  onTestFinished(() => cache.close())
  return () => cache
}

async function serveBoth(cacheOf: () => Cache) {
  const seen = { runs: 0 }
  const app = express().use(nodeFlight({ cache: cacheOf() }))
  app.use((_req, res) => {
    seen.runs++
    res.set(FIELDS).append('Link', '</a>').append('Link', '</b>').send(BODY)
  })
  const cache = cacheOf()
  const flight = fetchFlight({ cache })
  const handler = flight.wrap(() => {
    seen.runs++
    const response = new Response(BODY, { headers: FIELDS })
    for (const link of ['</a>', '</b>']) response.headers.append('Link', link)
    return response
  })
  const [node, fetch] = [await listen(createServer(app)), await listen(createServer(listenerOf(handler)))]
  return { seen, urls: { Express: `${node.url}/a?b`, fetch: `${fetch.url}/a?b` }, cache }
}

describe.each([
  ['one Redis', onRedis],
  ['one cache', inMemory],
])('over %s', (_where, makeCache) => {
  test.each([
    ['Express', 'fetch'],
    ['fetch', 'Express'],
  ] as const)('what %s has stored %s serves: all of it, in part, and as 304', async (first, second) => {
    const { seen, urls } = await serveBoth(makeCache())
    const get = (edge: 'Express' | 'fetch', headers: Record<string, string> = {}) =>
      ask(urls[edge], { headers: { Host: 'shop.example', Accept: 'image/*', ...headers } })
    await get(first)
    await expect.poll(async () => (await get(first)).headers['cache-status']).toContain('hit')
    const answer = await get(second)
    expect(answer.headers['cache-status']).toContain('hit')
    expect(answer.bytes.equals(BODY)).toBe(true)
    expect(answer.headers).toMatchObject({
      ...{ 'content-type': 'image/x-icon', link: '</a>, </b>', vary: 'Accept', etag: '"1"', 'content-length': '1000' },
    })
    expect((await get(second, { Range: 'bytes=255-256' })).bytes).toEqual(Buffer.from([255, 0]))
    expect((await get(second, { 'If-None-Match': '"1"' })).status).toBe(304)
    expect(
      (await ask(urls[second], { method: 'HEAD', headers: { Host: 'shop.example', Accept: 'image/*' } })).status,
    ).toBe(200)
    expect(seen.runs).toBe(1)
    await get(second, { Accept: 'text/*' })
    expect(seen.runs).toBe(2)
  })

  test.each([
    ['Express', 'fetch'],
    ['fetch', 'Express'],
  ] as const)('what is changed through %s is forgotten by %s', async (first, second) => {
    const { seen, urls, cache } = await serveBoth(makeCache())
    const of = (edge: 'Express' | 'fetch', method = 'GET') =>
      ask(urls[edge], { method, headers: { Host: 'shop.example' } })
    const stored = second === 'fetch' ? refilled(cache) : undefined
    await of(second)
    await stored
    await expect.poll(async () => (await of(second)).headers['cache-status']).toContain('hit')
    const { runs } = seen
    await of(first, 'POST')
    await expect.poll(async () => (await of(second)).headers['cache-status']).not.toContain('hit')
    expect(seen.runs).toBe(runs + 2)
  })
})
