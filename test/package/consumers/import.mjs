import * as root from 'herdlock'
import * as lock from 'herdlock/lock'
import * as express from 'herdlock/express'
import * as cacheManager from 'herdlock/cache-manager'
import * as redlock from 'herdlock/redlock'
import * as fetchEdge from 'herdlock/fetch'
import * as hono from 'herdlock/hono'
import * as koa from 'herdlock/koa'
import * as fastify from 'herdlock/fastify'
import * as nestjs from 'herdlock/nestjs'
import * as next from 'herdlock/next'
import * as opentelemetry from 'herdlock/opentelemetry'
import * as prometheus from 'herdlock/prometheus'
import * as dashboard from 'herdlock/dashboard'
import * as testing from 'herdlock/testing'

console.log(
  JSON.stringify({
    root: Object.keys(root),
    lock: Object.keys(lock),
    express: Object.keys(express),
    cacheManager: Object.keys(cacheManager),
    redlock: Object.keys(redlock),
    fetch: Object.keys(fetchEdge),
    hono: Object.keys(hono),
    koa: Object.keys(koa),
    fastify: Object.keys(fastify),
    nestjs: Object.keys(nestjs),
    next: Object.keys(next),
    opentelemetry: Object.keys(opentelemetry),
    prometheus: Object.keys(prometheus),
    dashboard: Object.keys(dashboard),
    testing: Object.keys(testing),
    same: root.Locker === lock.Locker,
  }),
)

const cache = root.createCache({ ttl: 1000 })
console.log(await cache.getOrRefill('key', () => 'value'))
dashboard.dashboard({ caches: [cache] }) // its page is in the package
await cache.close()
