import { createCache } from 'herdlock'
import { singleFlight as onKoa, type KoaFlight } from 'herdlock/koa'
import Koa from 'koa'
import Koa2 from 'koa2'

const cache = createCache({ ttl: 1000 })

const layer: KoaFlight = onKoa({ cache, ttl: 1000, key: (request) => request.url, bypass: undefined })
new Koa().use(layer).use((context) => void (context.body = 'page'))
new Koa2().use(layer)
new Koa<{ user: string }, { log: () => void }>().use(layer)
// @ts-expect-error the request is Node's
onKoa({ key: (context) => context.state.user })
await layer.cache.invalidate('key')
await layer.close()
