import { Controller, Get, Injectable, Module, Param } from '@nestjs/common'
import Fastify from 'fastify'
import { createCache } from 'herdlock'
import byDefault, { herdlock } from 'herdlock/fastify'
import { singleFlight as onHono, type HonoFlight } from 'herdlock/hono'
import { singleFlight as onKoa, type KoaFlight } from 'herdlock/koa'
import {
  Cache,
  Cached,
  HerdlockModule,
  type HerdlockOptions,
  type HerdlockOptionsFactory,
  Locker,
  SingleFlight,
} from 'herdlock/nestjs'
import { createIncrementalCacheHandler, createUseCacheHandler } from 'herdlock/next'
import { Hono } from 'hono'
import Koa from 'koa'
import Koa2 from 'koa2'
import type { CacheHandler } from 'next/dist/server/lib/cache-handlers/types.js'

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

@Injectable()
class Users {
  constructor(
    private readonly users: Cache,
    readonly locker: Locker,
  ) {}

  @Cached({ key: (id: string) => `user:${id}`, ttl: 1000, tags: ['users'] })
  async find(id: string): Promise<{ id: string }> {
    return { id: (await this.users.get<string>(id)) ?? id }
  }

  @Cached()
  async count(_of: 'all' | 'some', _page?: number): Promise<number> {
    return 1
  }

  // @ts-expect-error it returns no promise
  @Cached()
  name(): string {
    return 'users'
  }

  // @ts-expect-error its key is made of something else
  @Cached({ key: (id: number) => String(id) })
  async load(id: string): Promise<string> {
    return id
  }
}

@Controller('users')
@SingleFlight({ ttl: 1000, key: (request) => request.url, bypass: undefined })
class Pages {
  constructor(private readonly users: Users) {}

  @Get(':id')
  @SingleFlight(false)
  page(@Param('id') id: string): Promise<{ id: string }> {
    return this.users.find(id)
  }
}

class FromElsewhere implements HerdlockOptionsFactory {
  createHerdlockOptions(): HerdlockOptions {
    return { cache, locker: undefined, singleFlight: { ttl: 1000 } }
  }
}

const later = { useFactory: (ttl: number) => ({ cache: { ttl } }), inject: ['ttl'] }
@Module({
  imports: [
    HerdlockModule.forRoot({ cache: { ttl: 1000, staleWhileRevalidate: undefined } }),
    HerdlockModule.forRootAsync(later),
    HerdlockModule.forRootAsync({ useClass: FromElsewhere }),
  ],
  controllers: [Pages],
  providers: [Users],
})
export class AppModule {}
// @ts-expect-error a cache is needed
HerdlockModule.forRoot({})

const forUseCache: CacheHandler = createUseCacheHandler({ cache, waitTimeout: 5000, loadTimeout: undefined })
await forUseCache.updateTags(['tag'], { expire: 60 })
const Incremental = createIncrementalCacheHandler({ cache })
await new Incremental({ serverDistDir: '.next/server' }).revalidateTag(['tag'])
