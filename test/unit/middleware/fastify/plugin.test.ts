import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { describe, expect, onTestFinished, test } from 'vitest'

import { createCache } from '../../../../src/cache/create-cache.ts'
import byDefault, { herdlock } from '../../../../src/fastify.ts'

const SHARED = 'public, max-age=60'
const statusOf = ({ headers }: { headers: Record<string, unknown> }): unknown => headers['cache-status']
const isHit = expect.stringContaining('herdlock; hit') as unknown

describe('acts where it is registered', () => {
  const page = (request: FastifyRequest, reply: FastifyReply): unknown =>
    reply.header('Cache-Control', SHARED).send(request.url)

  test('in a scope, on its routes and on those of scopes below', async () => {
    const app = Fastify()
    onTestFinished(() => app.close())
    app.get('/outside', page)
    await app.register(async (scope) => {
      await scope.register(herdlock)
      scope.get('/inside', page)
      await scope.register(async (below) => void below.get('/below', page))
      expect(scope.herdlock.cache).toBeDefined()
    })
    const hits = async (path: string) => {
      await app.inject(path)
      return statusOf(await app.inject(path))
    }
    expect(await hits('/inside')).toEqual(isHit)
    expect(await hits('/below')).toEqual(isHit)
    expect(await hits('/outside')).toBeUndefined()
    expect(app.hasDecorator('herdlock')).toBe(false)
  })

  test('two scopes have what is theirs', async () => {
    const app = Fastify()
    onTestFinished(() => app.close())
    for (const name of ['a', 'b']) {
      await app.register(
        async (scope) => {
          await scope.register(herdlock, { ttl: 60_000 })
          scope.get('/page', (request) => `${name} ${request.url}`)
        },
        { prefix: `/${name}` },
      )
    }
    for (const path of ['/a/page', '/b/page']) await app.inject(path)
    const bodies = await Promise.all(['/a/page', '/b/page'].map(async (path) => (await app.inject(path)).body))
    expect(bodies).toEqual(['a /a/page', 'b /b/page'])
  })

  test('as others may demand of it by fastify-plugin', async () => {
    const app = Fastify()
    onTestFinished(() => app.close())
    await app.register(byDefault)
    const dependent = fastifyPlugin(async () => {}, {
      name: 'dependent',
      dependencies: ['herdlock'],
      decorators: { fastify: ['herdlock'] },
    })
    await app.register(dependent)
    await app.ready()
    expect([byDefault, app.hasDecorator('herdlock')]).toEqual([herdlock, true])
  })
})

test('a route whose options cannot be honoured is not added, and the plugin is not registered with such', async () => {
  const app = Fastify()
  onTestFinished(() => app.close())
  await app.register(herdlock)
  expect(() => app.get('/a', { config: { singleFlight: { ttl: -1 } } }, () => 'a')).toThrow(/ttl/)
  expect(() => app.get('/b', { config: { singleFlight: 'no' as never } }, () => 'b')).toThrow(
    /config\.singleFlight must be false or an object/,
  )
  expect(() => app.get('/c', { config: { singleFlight: { cache: {} as never } } }, () => 'c')).toThrow(
    /config\.singleFlight\.cache must be left to the plugin/,
  )
  const other = Fastify()
  onTestFinished(() => other.close())
  await expect(other.register(herdlock, { maxBodyBytes: 1.5 })).rejects.toThrow(/maxBodyBytes/)
})

test('closes the cache that it has made, with the app; that of its options stays open', async () => {
  const cache = createCache({ ttl: 1000 })
  const app = Fastify()
  await app.register(herdlock, { cache })
  expect(app.herdlock.cache).toBe(cache)
  await app.close()
  await cache.set('key', 1)
  await cache.close()
  const own = Fastify()
  await own.register(herdlock)
  const made = own.herdlock.cache
  await own.close()
  await expect(made.set('key', 1)).rejects.toThrow(/closed/)
})
