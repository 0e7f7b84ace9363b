import Fastify from 'fastify'
import { createCache } from 'herdlock'
import byDefault, { herdlock } from 'herdlock/fastify'
import { singleFlight as onHono, type HonoFlight } from 'herdlock/hono'
import { singleFlight as onKoa, type KoaFlight } from 'herdlock/koa'
import { Hono } from 'hono'
import Koa from 'koa'
import Koa2 from 'koa2'

// Each framework as its users write it, without a cast.
const cache = createCache({ ttl: 1000 })

const ofHono: HonoFlight = onHono({ cache, key: (asked) => new URL(asked.url).pathname })
const hono = new Hono<{ Variables: { user: string } }>().use(ofHono)
hono.use('/pages/*', ofHono).get('/pages/:id', ofHono, (context) => context.text(context.get('user')))
hono.route('/sub', new Hono().use(onHono({ bypass: undefined })))
await ofHono.close()

const ofKoa: KoaFlight = onKoa({ cache, ttl: 1000, key: (request) => request.url, bypass: undefined })
new Koa().use(ofKoa).use((context) => void (context.body = 'page'))
new Koa2().use(ofKoa)
new Koa<{ user: string }, { log: () => void }>().use(ofKoa)
// @ts-expect-error the request is Node's
onKoa({ key: (context) => context.state.user })
await ofKoa.cache.invalidate('key')
await ofKoa.close()

const app = Fastify()
await app.register(herdlock, { cache, ttl: 1000, key: (request) => request.url })
await app.register(byDefault)
await Fastify({ http2: true }).register(herdlock)
await app.herdlock.cache.invalidate('key')
app.get('/out', { config: { singleFlight: false } }, () => 'out')
app.get('/own', { config: { singleFlight: { ttl: 1000, staleWhileRevalidate: undefined } } }, () => 'own')
// @ts-expect-error the cache is the plugin's
app.get('/cache', { config: { singleFlight: { cache } } }, () => 'cache')
// @ts-expect-error options are those of singleFlight
await app.register(herdlock, { ttl: '1s' })
