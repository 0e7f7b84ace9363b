// How do I keep code that is written for cache-manager, or Nest's CACHE_MANAGER?
//
// Look at: makeCache, which is all that changes; PriceService is as it was.
// Run:     REDIS_URL=redis://localhost:6379 npm run example examples/cache-manager.ts
import 'reflect-metadata'
import { setTimeout as delay } from 'node:timers/promises'
import { Inject, Injectable, Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { Cache } from 'cache-manager'
import { createCache } from 'herdlock'
import { cacheManager } from 'herdlock/cache-manager'
import { Redis } from 'ioredis'

const CACHE_MANAGER = 'CACHE_MANAGER' // of @nestjs/cache-manager
let queries = 0

@Injectable()
class PriceService {
  @Inject(CACHE_MANAGER) private readonly cache!: Cache

  find(product: string): Promise<number> {
    const query = async (): Promise<number> => {
      queries++
      await delay(200) // the slow query
      return 42
    }
    return this.cache.wrap(`price:${product}`, query, 30_000, 5_000)
  }
}

const redis = new Redis(process.env['REDIS_URL'] ?? 'redis://localhost:6379')
const makeCache = (): Cache =>
  cacheManager(createCache({ ttl: 60_000, redis, prefix: `example-${process.pid}` }).namespace('prices'))

@Module({ providers: [PriceService, { provide: CACHE_MANAGER, useFactory: makeCache }] })
class AppModule {}

// Two apps on one Redis, as two processes would be.
const apps = await Promise.all([1, 2].map(() => NestFactory.createApplicationContext(AppModule, { logger: false })))
const ask = (): Promise<number>[] =>
  apps.flatMap((app) => Array.from({ length: 50 }, () => app.get(PriceService).find('tea')))

console.log(`100 callers in two apps: ${[...new Set(await Promise.all(ask()))].join()} | queries: ${queries}`)

await apps[0]?.get<Cache>(CACHE_MANAGER).clear()
console.log(`100 more after clear: ${[...new Set(await Promise.all(ask()))].join()} | queries: ${queries}`)

for (const app of apps) {
  await app.get<Cache>(CACHE_MANAGER).clear()
  await app.get<Cache>(CACHE_MANAGER).disconnect()
  await app.close()
}
redis.disconnect()
