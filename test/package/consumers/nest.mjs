// nest.mjs express|fastify: an application of Nest that uses all of herdlock/nestjs, its decorators applied by hand. Prints what
// its clients and its services have seen.
import 'reflect-metadata'
import { Controller, Get, Header, Inject, Injectable, Param, UseGuards } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { Cache, Cached, HerdlockModule, SingleFlight } from 'herdlock/nestjs'

const [platform] = process.argv.slice(2)

class Signed {
  canActivate(context) {
    return context.switchToHttp().getRequest().headers['x-key'] !== 'guessed'
  }
}

class UserService {
  queries = 0
  async find(id) {
    this.queries++
    await new Promise((resolve) => setTimeout(resolve, 100))
    return { id, query: this.queries }
  }
}
decorate(UserService, [Injectable()], { find: [Cached()] })

class UserController {
  runs = 0
  constructor(users, cache) {
    Object.assign(this, { users, cache })
  }
  async user(id) {
    this.runs++
    return this.users.find(id)
  }
}
Inject(UserService)(UserController, undefined, 0)
Inject(Cache)(UserController, undefined, 1)
Param('id')(UserController.prototype, 'user', 0)
decorate(UserController, [Controller('users'), SingleFlight()], {
  user: [Get(':id'), UseGuards(Signed), Header('Cache-Control', 'public, max-age=60')],
})

function decorate(type, ofClass, ofMethods) {
  for (const [name, decorators] of Object.entries(ofMethods)) {
    const descriptor = Object.getOwnPropertyDescriptor(type.prototype, name)
    for (const decorator of decorators.toReversed()) decorator(type.prototype, name, descriptor)
    Object.defineProperty(type.prototype, name, descriptor)
  }
  for (const decorator of ofClass.toReversed()) decorator(type)
}

const imports = [HerdlockModule.forRootAsync({ useFactory: () => ({ cache: { ttl: 60_000 } }) })]
const module = { module: class App {}, imports, controllers: [UserController], providers: [UserService] }
const adapter =
  platform === 'fastify'
    ? new (await import('@nestjs/platform-fastify')).FastifyAdapter()
    : new (await import('@nestjs/platform-express')).ExpressAdapter()
const app = await NestFactory.create(module, adapter, { logger: ['error', 'warn'] })
await app.listen(0, '127.0.0.1')
const url = await app.getUrl()

const ask = async (key) => {
  const response = await fetch(`${url}/users/1`, { headers: { 'X-Key': key } })
  return [response.status, await response.text(), response.headers.get('cache-status')?.split(';')[1]?.trim()]
}
const herd = await Promise.all(Array.from({ length: 20 }, () => ask('secret')))
const bodies = [...new Set(herd.map(([status, body]) => `${status} ${body}`))]
const [hit, refused] = [await ask('secret'), await ask('guessed')]
const controller = app.get(UserController)
await controller.users.find('1')
const { runs, users, cache } = controller
await app.close()
const afterwards = await cache.set('key', 'value').catch(({ name }) => name)
console.log(JSON.stringify({ bodies, hit, refused: refused[0], runs, queries: users.queries, afterwards }))
