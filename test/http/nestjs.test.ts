import 'reflect-metadata'
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Header,
  HttpCode,
  type INestApplication,
  NotFoundException,
  Param,
  Post,
  Put,
  Redirect,
  Res,
  StreamableFile,
  Sse,
  type Type,
  UseGuards,
  Version,
  VersioningType,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import { delay, type Observable, of } from 'rxjs'
import { describe, expect, onTestFinished, test } from 'vitest'

import { type Cache, HerdlockModule, type HerdlockOptions, SingleFlight } from '../../src/nestjs.ts'
import { createCache } from '../../src/cache/create-cache.ts'
import { ask, open } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { refilled } from './support/serve.ts'

const SHARED = 'public, max-age=60'
/** What is so old when it comes is stale at once. */
const STALE = { 'Cache-Control': 'public, max-age=60, stale-while-revalidate=600', Age: '61' }

const ADAPTERS = {
  Express: () => new ExpressAdapter(),
  Fastify: () => new FastifyAdapter(),
}

interface Served {
  url: string
  cache: Cache
  /** Status, body and the field Cache-Status. */
  get(path: string, headers?: Record<string, string>): Promise<readonly [number, string, string]>
  request(path: string, options?: Parameters<typeof ask>[1]): ReturnType<typeof ask>
}

describe.each(Object.entries(ADAPTERS))('on %s', (platform, adapter) => {
  async function serve(
    controller: Type,
    options: Partial<HerdlockOptions> = {},
    prepare: (app: INestApplication) => void = () => {},
  ): Promise<Served> {
    const cache = createCache({ ttl: 60_000 })
    const herdlock = HerdlockModule.forRoot({ cache, ...options })
    const module = { module: class App {}, imports: [herdlock], controllers: [controller] }
    const app = await NestFactory.create<INestApplication>(module, adapter() as never, { logger: false })
    onTestFinished(async () => {
      await app.close()
      await cache.close()
    })
    prepare(app)
    await app.listen(0, '127.0.0.1')
    const url = await app.getUrl()
    const request: Served['request'] = (path, given) => ask(url + path, given)
    return {
      url,
      cache,
      request,
      async get(path, headers = {}) {
        const { status, body, headers: fields } = await request(path, { headers })
        return [status, body, String(fields['cache-status'] ?? '')]
      },
    }
  }

  /** A layer outside: Express has it as middleware, Fastify as a hook. */
  function outside(app: INestApplication, fieldsOf: () => Record<string, string>): void {
    if (platform === 'Express') {
      app.use((_req: unknown, res: { setHeader(name: string, value: string): void }, next: () => void) => {
        for (const [name, value] of Object.entries(fieldsOf())) res.setHeader(name, value)
        next()
      })
      return
    }
    const fastify = (app.getHttpAdapter() as unknown as FastifyAdapter).getInstance()
    fastify.addHook('onRequest', (_request, reply, next) => {
      void reply.headers(fieldsOf())
      next()
    })
  }

  test('a herd runs the handler once; then there are hits', async () => {
    const gate = new Gate()
    let runs = 0
    @Controller()
    class Pages {
      @Get('page/:id')
      @Header('Cache-Control', SHARED)
      @SingleFlight()
      async page(@Param('id') id: string): Promise<object> {
        runs++
        await gate.pass()
        return { page: id }
      }
    }
    const { get } = await serve(Pages)
    const asked = Array.from({ length: 20 }, () => get('/page/1'))
    await gate.reached
    gate.open()
    for (const [status, body] of await Promise.all(asked)) expect([status, body]).toEqual([200, '{"page":"1"}'])
    const hit = await get('/page/1')
    expect([hit[1], runs]).toEqual(['{"page":"1"}', 1])
    expect(hit[2]).toMatch(/^herdlock; hit; ttl=\d+/)
  })

  test('guards run for every request, hits too', async () => {
    const guarded: string[] = []
    class Signed implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>()
        guarded.push(String(headers['x-key']))
        return headers['x-key'] === 'secret'
      }
    }
    @Controller()
    @SingleFlight()
    class Pages {
      @Get('page')
      @UseGuards(Signed)
      @Header('Cache-Control', SHARED)
      page(): string {
        return 'page'
      }
    }
    const { get } = await serve(Pages)
    expect(await get('/page', { 'x-key': 'secret' })).toEqual([200, 'page', expect.stringContaining('stored')])
    expect((await get('/page', { 'x-key': 'guessed' }))[0]).toBe(403)
    expect(await get('/page', { 'x-key': 'secret' })).toEqual([200, 'page', expect.stringContaining('hit')])
    expect(guarded).toEqual(['secret', 'guessed', 'secret'])
  })

  test('what layers outside set is each request’s own; what @Header() and the handler set is stored', async () => {
    let ids = 0
    @Controller()
    class Pages {
      @Get('page')
      @SingleFlight()
      @Header('Cache-Control', SHARED)
      @Header('X-Kept', 'yes')
      @HttpCode(203)
      page(): string {
        return `page of request ${ids}`
      }
    }
    const { request } = await serve(Pages, {}, (app) => outside(app, () => ({ 'X-Request-Id': String(++ids) })))
    for (const id of ['1', '2']) {
      const { status, body, headers } = await request('/page')
      expect([status, body, headers['x-request-id'], headers['x-kept'], headers['cache-control']]).toEqual([
        ...[203, 'page of request 1', id, 'yes', SHARED],
      ])
    }
  })

  test('what the handler takes away of layers outside is missing in hits, too', async () => {
    @Controller()
    class Pages {
      @Get('page')
      @SingleFlight()
      @Header('Cache-Control', SHARED)
      page(@Res({ passthrough: true }) response: { removeHeader(name: string): void }): string {
        response.removeHeader('X-Outer')
        return 'page'
      }
    }
    const { request } = await serve(Pages, {}, (app) => outside(app, () => ({ 'X-Outer': 'yes', 'X-Kept': 'yes' })))
    for (const outcome of ['stored', 'hit']) {
      const { headers } = await request('/page')
      expect([headers['x-outer'], headers['x-kept'], headers['cache-status']]).toEqual([
        ...[undefined, 'yes', expect.stringContaining(outcome)],
      ])
    }
  })

  test('what is stale is sent at once, and refilled in the background', async () => {
    let runs = 0
    @Controller()
    class Pages {
      @Get('page')
      @SingleFlight({ ttl: 60_000 })
      @Header('Cache-Control', STALE['Cache-Control'])
      @Header('Age', STALE.Age)
      page(): string {
        return `run ${++runs}`
      }
    }
    const { get, cache } = await serve(Pages)
    const stored = refilled(cache)
    await get('/page')
    await stored
    const again = refilled(cache)
    const isRun = (run: number) => [200, `run ${run}`, expect.stringContaining('hit; ttl=-')]
    expect(await get('/page')).toEqual(isRun(1))
    await expect.poll(() => get('/page')).toEqual(isRun(2))
    await again
  })

  test('an exception is Nest’s to answer, and gives way to a stale response', async () => {
    let runs = 0
    @Controller()
    class Pages {
      @Get('page')
      @SingleFlight()
      @Header('Cache-Control', 'max-age=60, stale-if-error=600')
      @Header('Age', '61')
      @Header('ETag', '"1"')
      page(): string {
        if (++runs > 1) throw new Error('out of order')
        return 'page'
      }

      @Get('none')
      @SingleFlight()
      none(): never {
        throw new NotFoundException('no such page')
      }
    }
    const { get, cache } = await serve(Pages)
    const stored = refilled(cache)
    await get('/page')
    await stored
    const isStaleInstead = async () => [...(await get('/page')).slice(0, 2), runs > 1]
    await expect.poll(isStaleInstead).toEqual([200, 'page', true])
    const [status, body] = await get('/none')
    expect([status, JSON.parse(body)]).toEqual([404, expect.objectContaining({ message: 'no such page' })])
  })

  test('observables and redirects are stored as they were answered; events are each client’s own', async () => {
    let runs = 0
    @Controller()
    @SingleFlight({ ttl: 60_000 })
    class Pages {
      @Get('observable')
      observable(): Observable<string> {
        return of(`run ${++runs}`)
      }

      @Get('old')
      @Redirect('/new', 301)
      old(): void {
        runs++
      }

      @Sse('events')
      events(): Observable<object> {
        return of({ data: `run ${++runs}` })
      }
    }
    const { get, request } = await serve(Pages)
    expect([(await get('/observable'))[1], (await get('/observable'))[1]]).toEqual(['run 1', 'run 1'])
    for (const outcome of ['stored', 'hit']) {
      const { status, headers } = await request('/old')
      expect([status, headers.location, headers['cache-status']]).toEqual([
        ...[301, '/new', expect.stringContaining(outcome)],
      ])
    }
    expect(runs).toBe(2)
    for (const run of ['run 3', 'run 4']) expect((await get('/events'))[1]).toContain(`data: ${run}`)
  })

  test('events are each client’s own also where event streams are shared: Nest answers them before it asks', async () => {
    let runs = 0
    @Controller()
    @SingleFlight({ ttl: 60_000, shareEventStreams: true })
    class Pages {
      @Sse('events')
      @Header('SingleFlight-Cache-Control', 'max-age=60')
      events(): Observable<object> {
        return of({ data: `run ${++runs}` }).pipe(delay(20))
      }
    }
    const { request } = await serve(Pages)
    const answers = await Promise.all([1, 2, 3].map(() => request('/events')))
    expect(answers.map(({ status, complete }) => [status, complete])).toEqual([1, 2, 3].map(() => [200, true]))
    for (const { body } of answers) expect(body).toMatch(/data: run [123]\n/)
    expect(runs).toBe(3)
  })

  test('the client whose request runs the handler may leave', async () => {
    const gate = new Gate()
    let runs = 0
    @Controller()
    class Pages {
      @Get('page')
      @SingleFlight()
      @Header('Cache-Control', SHARED)
      async page(): Promise<string> {
        runs++
        await gate.pass()
        return 'page'
      }
    }
    const { url, get, cache } = await serve(Pages)
    const first = open(`${url}/page`)
    await gate.reached
    const joined = new Promise<void>((resolve) => void cache.on('coalesced', () => resolve()))
    const second = get('/page')
    await joined
    first.leave()
    gate.open()
    expect([(await second).slice(0, 2), (await get('/page'))[1], runs]).toEqual([[200, 'page'], 'page', 1])
  })

  test('files stream to all who wait', async () => {
    let runs = 0
    @Controller()
    class Pages {
      @Get('file')
      @SingleFlight()
      @Header('Cache-Control', SHARED)
      file(): StreamableFile {
        return new StreamableFile(Buffer.from(`file ${++runs}`), { type: 'text/plain' })
      }
    }
    const { get, request } = await serve(Pages)
    const bodies = (await Promise.all(Array.from({ length: 5 }, () => get('/file')))).map(([, body]) => body)
    expect([new Set(bodies), runs]).toEqual([new Set(['file 1']), 1])
    const { headers } = await request('/file')
    expect([headers['content-type'], headers['cache-status']]).toEqual(['text/plain', expect.stringContaining('hit')])
  })

  test('a HEAD and a condition are answered from what is stored', async () => {
    @Controller()
    class Pages {
      @Get('page')
      @SingleFlight()
      @Header('Cache-Control', SHARED)
      @Header('ETag', '"1"')
      page(): string {
        return 'page'
      }
    }
    const { get, request } = await serve(Pages)
    await get('/page')
    expect((await request('/page', { method: 'HEAD' })).headers['cache-status']).toContain('hit')
    expect((await get('/page', { 'If-None-Match': '"1"' })).slice(0, 2)).toEqual([304, ''])
  })

  test('a controller’s options count for its handlers, theirs go before, and false keeps one out', async () => {
    let runs = 0
    @Controller()
    @SingleFlight({ ttl: 60_000 })
    class Pages {
      @Get('kept')
      kept(): string {
        return `run ${++runs}`
      }

      @Get('stale')
      @SingleFlight({ ttl: 1, staleIfError: 60_000 })
      refined(): string {
        return `run ${++runs}`
      }

      @Get('out')
      @SingleFlight(false)
      out(): string {
        return `run ${++runs}`
      }

      @Put('kept')
      change(): void {}

      @Post('kept')
      refuse(): never {
        throw new NotFoundException()
      }
    }
    const { get, request } = await serve(Pages)
    const bodies = async (path: string): Promise<string[]> => [(await get(path))[1], (await get(path))[1]]
    expect(await bodies('/kept')).toEqual(['run 1', 'run 1'])
    expect(await bodies('/out')).toEqual(['run 2', 'run 3'])
    expect((await get('/out'))[2]).toBe('')
    runs = 10
    await request('/kept', { method: 'POST' })
    expect((await get('/kept'))[1]).toBe('run 1')
    await request('/kept', { method: 'PUT' })
    expect((await get('/kept'))[1]).toBe('run 11')
    await get('/stale')
    await expect.poll(async () => (await get('/stale'))[1]).toBe('run 13')
  })

  test('the module’s options count for all', async () => {
    let runs = 0
    @Controller()
    class Pages {
      @Get('page')
      @SingleFlight({ staleIfError: 1000 })
      page(): string {
        return `run ${++runs}`
      }
    }
    const { get } = await serve(Pages, { singleFlight: { ttl: 60_000 } })
    expect([(await get('/page'))[1], (await get('/page'))[1]]).toEqual(['run 1', 'run 1'])
  })

  test('versions that share a URL never share answers', async () => {
    @Controller({ path: 'page', version: '1' })
    @SingleFlight()
    class Pages {
      @Get()
      @Header('Cache-Control', SHARED)
      first(): string {
        return 'version 1'
      }

      @Get()
      @Version('2')
      @Header('Cache-Control', SHARED)
      second(): string {
        return 'version 2'
      }
    }
    const byHeader = (app: INestApplication): unknown =>
      app.enableVersioning({ type: VersioningType.HEADER, header: 'X-Version' })
    const { get } = await serve(Pages, {}, byHeader)
    for (const outcome of ['stored', 'hit']) {
      for (const version of ['1', '2']) {
        const answer = await get('/page', { 'X-Version': version })
        expect(answer).toEqual([200, `version ${version}`, expect.stringContaining(outcome)])
      }
    }
  })
})

test('options that cannot be honoured are refused when the class is made', () => {
  expect(() => SingleFlight({ ttl: 0 })).toThrow('ttl must be a whole number of milliseconds, 1 or more, received 0')
})
