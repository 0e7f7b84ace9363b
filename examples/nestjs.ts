// How do I keep a herd off the slow parts of a NestJS app?
//
// Look at: HerdlockModule, which gives cache and locks to whoever injects them and closes them with the app; @Cached() on the
//          service, whose queries run once; @SingleFlight() on the controller, whose responses are shared whole.
//          (`@Inject(…)` is written out, as not every tool that runs TypeScript emits the types of what is injected.)
// Run:     npm run example examples/nestjs.ts
import 'reflect-metadata'
import { setTimeout as delay } from 'node:timers/promises'
import { Controller, Get, HttpCode, Inject, Injectable, Module, NotFoundException, Param, Put } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { Cache, Cached, HerdlockModule, SingleFlight } from 'herdlock/nestjs'

interface User {
  id: string
  name: string
}

@Injectable()
class UserService {
  queries = 0

  @Cached({ key: (id: string) => `user:${id}`, negativeTtl: 1_000 })
  async find(id: string): Promise<User | null> {
    this.queries++
    await delay(200) // the slow query
    return id === '1' ? { id, name: 'Ada' } : null
  }
}

@Controller('users')
class UserController {
  @Inject(UserService) private readonly users!: UserService
  @Inject(Cache) private readonly cache!: Cache

  @Get(':id')
  async find(@Param('id') id: string): Promise<User> {
    const user = await this.users.find(id)
    if (user === null) throw new NotFoundException('no such user')
    return user
  }

  @Put(':id')
  @HttpCode(204)
  async change(@Param('id') id: string): Promise<void> {
    await this.cache.invalidate(`user:${id}`)
  }
}

@Controller('report')
@SingleFlight({ ttl: 5_000, staleWhileRevalidate: 60_000 })
class ReportController {
  runs = 0

  @Get()
  async report(): Promise<object> {
    this.runs++
    await delay(200) // another one
    return { run: this.runs }
  }
}

const herdlock = HerdlockModule.forRoot({ cache: { ttl: 30_000, staleWhileRevalidate: 60_000 } }) // `redis`: in all processes

@Module({ imports: [herdlock], controllers: [UserController, ReportController], providers: [UserService] })
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] })
app.enableShutdownHooks() // SIGTERM closes the app, and with it the cache
await app.listen(0, '127.0.0.1')
const url = await app.getUrl()

async function ask(path: string, count: number): Promise<void> {
  const responses = await Promise.all(Array.from({ length: count }, () => fetch(url + path)))
  const bodies = await Promise.all(responses.map(async (response) => `${response.status} ${await response.text()}`))
  const [{ queries }, { runs }] = [app.get(UserService), app.get(ReportController)]
  console.log(`${count} × ${path}: ${[...new Set(bodies)].join()} | queries: ${queries}, runs: ${runs}`)
}

await ask('/users/1', 100)
await ask('/users/1', 100)
await ask('/users/2', 100)
await fetch(`${url}/users/1`, { method: 'PUT' })
await ask('/users/1', 100)
await ask('/report', 100)
await ask('/report', 100)

await app.close()
