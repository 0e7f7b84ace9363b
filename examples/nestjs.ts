// How do I use getOrRefill in NestJS?
//
// Look at: CacheModule, which gives the cache to whoever injects it and closes it with the app; and UserService.
//          (`@Inject(…)` is written out, as not every tool that runs TypeScript emits the types of what is injected.)
// Run:     npm run example examples/nestjs.ts
import 'reflect-metadata'
import { setTimeout as delay } from 'node:timers/promises'
import {
  Controller,
  Get,
  Global,
  Inject,
  Injectable,
  Module,
  NotFoundException,
  type OnApplicationShutdown,
  Param,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { type Cache, createCache } from 'herdlock'

const CACHE = Symbol('cache')
const useFactory = (): Cache => createCache({ ttl: 30_000, staleWhileRevalidate: 60_000, negativeTtl: 1_000 })

@Global()
@Module({ providers: [{ provide: CACHE, useFactory }], exports: [CACHE] })
class CacheModule implements OnApplicationShutdown {
  @Inject(CACHE) private readonly cache!: Cache

  onApplicationShutdown(): Promise<void> {
    return this.cache.close()
  }
}

interface User {
  id: string
  name: string
}

@Injectable()
class UserService {
  @Inject(CACHE) private readonly cache!: Cache
  queries = 0

  find(id: string): Promise<User | null> {
    return this.cache.getOrRefill(`user:${id}`, ({ signal }) => this.query(id, signal))
  }

  private async query(id: string, signal: AbortSignal): Promise<User | null> {
    this.queries++
    await delay(200, undefined, { signal }) // the slow query
    return id === '1' ? { id, name: 'Ada' } : null
  }
}

@Controller('users')
class UserController {
  @Inject(UserService) private readonly users!: UserService

  @Get(':id')
  async find(@Param('id') id: string): Promise<User> {
    const user = await this.users.find(id)
    if (user === null) throw new NotFoundException('no such user')
    return user
  }
}

@Module({ imports: [CacheModule], controllers: [UserController], providers: [UserService] })
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] })
app.enableShutdownHooks() // SIGTERM closes the app, and with it the cache
await app.listen(0, '127.0.0.1')
const url = await app.getUrl()

async function ask(path: string, count: number): Promise<void> {
  const responses = await Promise.all(Array.from({ length: count }, () => fetch(url + path)))
  const bodies = await Promise.all(responses.map(async (response) => `${response.status} ${await response.text()}`))
  console.log(`${count} × ${path}: ${[...new Set(bodies)].join()} | queries: ${app.get(UserService).queries}`)
}

await ask('/users/1', 100)
await ask('/users/1', 100)
await ask('/users/2', 100)

await app.close()
