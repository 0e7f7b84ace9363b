import { once } from 'node:events'
import express from 'express'
import { Redis } from 'ioredis'
import request from 'supertest'
import { expect, onTestFinished, test } from 'vitest'
import { createCache } from '../../src/cache/create-cache.ts'
import { singleFlight } from '../../src/middleware/node/single-flight.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'
import { watchChannel } from '../support/watch-channel.ts'

test.each(['memory', 'Redis'])(
  'says of which keys responses were not shared, and why, with a cache in %s',
  async (where) => {
    const redis = where === 'Redis' ? new Redis(sharedRedis().url) : undefined
    const cache = createCache({ ttl: 60_000, redis, prefix: uniquePrefix('unshared') })
    onTestFinished(async () => {
      await cache.close()
      redis?.disconnect()
    })
    const told: string[] = []
    cache.namespace('pages').on('unshared', ({ key, reason }) => told.push(`${key} ${reason}`))
    const channel = watchChannel<{ cache: string; key: string; reason: string }>('herdlock:unshared')
    const app = express()
    app.use(singleFlight({ cache: cache.namespace('pages'), ttl: 60_000, maxBodyBytes: 10 }))
    app.get('/private', (_request, response) => void response.set('Cache-Control', 'private').send('a'))
    app.get('/cookie', (_request, response) => void response.cookie('a', '1').send('a'))
    app.get('/large', (_request, response) => void response.send('a'.repeat(11)))
    app.get('/grows', (_request, response) => {
      response.write('a'.repeat(6))
      response.end('a'.repeat(6))
    })
    app.get('/gone', (_request, response) => void response.status(500).send('a'))
    app.get('/shared', (_request, response) => void response.send('a'))
    const server = app.listen(0, '127.0.0.1') // one for all: its port is part of the keys
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    for (const path of ['/private', '/cookie', '/large', '/grows', '/gone', '/shared', '/shared'])
      await request(server).get(path)
    await request(server).get('/private') // which is passed on at once: its reason is told all the same
    const reasons = told.map((each) => each.replace(/^.*(\/\w+)\b.* (\S+)$/, '$1 $2'))
    expect(reasons).toEqual([
      '/private private',
      '/cookie set-cookie',
      '/large too-large',
      '/grows too-large',
      '/gone no-freshness',
      '/private private',
    ])
    expect(channel.map(({ reason }) => reason)).toEqual(reasons.map((each) => each.split(' ')[1]))
    expect(cache.namespace('pages').stats().unshared).toBe(6)
    expect(cache.stats()).toMatchObject({ unshared: 6, hits: 1 })
  },
)
