import { AsyncLocalStorage } from 'node:async_hooks'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import cors from 'cors'
import ejs from 'ejs'
import express, { type Express, type Request, type RequestHandler, type Response } from 'express'
import express4 from 'express4'
import session from 'express-session'
import helmet from 'helmet'
import { createProxyMiddleware } from 'http-proxy-middleware'
import morgan from 'morgan'
import { describe, expect, onTestFinished, test } from 'vitest'

import { ask, open } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { listen, makeFlight, refilled, type ServeOptions } from './support/serve.ts'

const FRAMEWORKS = { 'Express 5': express, 'Express 4': express4 as unknown as typeof express }

describe.each(Object.entries(FRAMEWORKS))('%s with', (_name, framework) => {
  async function serveApp(build: (app: Express, flight: RequestHandler) => void, options?: ServeOptions) {
    const made = makeFlight(options)
    const app = framework()
    app.set('env', 'test')
    build(app, made.flight as never)
    return { ...made, ...(await listen(createServer(app))) }
  }

  const withSession = () => session({ secret: 's', resave: false, saveUninitialized: true })

  test.each(['outside', 'inside'] as const)(
    'a session %s: a page of a new session goes to its own client',
    async (where) => {
      let runs = 0
      const { url } = await serveApp((app, flight) => {
        if (where === 'outside') app.use(withSession())
        app.use(flight)
        if (where === 'inside') app.use(withSession())
        app.get('/', (req: Request, res: Response) => {
          res.set('Cache-Control', 'max-age=60').send(`session ${req.sessionID} ${++runs}`)
        })
      })
      const answers = await Promise.all(Array.from({ length: 10 }, () => ask(url)))
      const again = await ask(url)
      const ids = [...answers, again].map(({ body }) => body.split(' ')[1])
      expect(new Set(ids).size).toBe(11)
      for (const { headers, body } of answers) {
        expect(decodeURIComponent(String(headers['set-cookie']))).toContain(`s:${body.split(' ')[1]}.`)
      }
    },
  )

  test('cors outside: each origin gets its own permission on the shared page', async () => {
    let runs = 0
    const { url } = await serveApp((app, flight) => {
      app.use(cors({ origin: true }))
      app.use(flight)
      app.get('/', (_req: Request, res: Response) => res.set('Cache-Control', 'max-age=60').send(`run ${++runs}`))
    })
    const from = (origin: string) => ask(url, { headers: { Origin: origin } })
    for (const origin of ['http://a.example', 'http://b.example', 'http://a.example']) {
      const { headers } = await from(origin)
      expect(headers['access-control-allow-origin']).toBe(origin)
    }
  })

  test('cors inside: the permission is a part of the variant', async () => {
    let runs = 0
    const { url } = await serveApp((app, flight) => {
      app.use(flight)
      app.use(cors({ origin: true }))
      app.get('/', (_req: Request, res: Response) => res.set('Cache-Control', 'max-age=60').send(`run ${++runs}`))
    })
    for (const origin of ['http://a.example', 'http://b.example', 'http://a.example']) {
      const { headers } = await ask(url, { headers: { Origin: origin } })
      expect(headers['access-control-allow-origin']).toBe(origin)
    }
    expect(runs).toBe(2)
  })

  test('helmet, a request id and morgan outside: every request has its own id and one line', async () => {
    const lines: string[] = []
    let requests = 0
    let runs = 0
    const { url, clock, cache } = await serveApp((app, flight) => {
      app.use(
        morgan(':method :status :res[x-request-id] :res[content-length]', {
          stream: { write: (line) => lines.push(line.trim()) },
        }),
      )
      app.use(helmet())
      app.use((_req: Request, res: Response, next: () => void) => {
        res.set('X-Request-Id', String(++requests))
        next()
      })
      app.use(flight)
      app.get('/', (_req: Request, res: Response) => {
        res.set('Cache-Control', 'max-age=60, stale-while-revalidate=60').send(`run ${++runs}`)
      })
    })
    await ask(url)
    await ask(url)
    clock.skip(61_000)
    const stored = refilled(cache)
    const stale = await ask(url)
    expect(stale.headers['x-request-id']).toBe('3')
    expect(stale.headers['content-security-policy']).toContain("default-src 'self'")
    await stored
    expect((await ask(url)).body).toBe('run 2')
    await expect.poll(() => lines).toEqual(['GET 200 1 5', 'GET 200 2 5', 'GET 200 3 5', 'GET 200 4 5'])
  })

  test('a field that the handler takes away: it stays away on hits', async () => {
    const { url } = await serveApp((app, flight) => {
      app.use(helmet())
      app.use(flight)
      app.get('/', (_req: Request, res: Response) => {
        res.removeHeader('Content-Security-Policy')
        res.set('Cache-Control', 'max-age=60').send('page')
      })
    })
    for (let count = 0; count < 2; count++)
      expect((await ask(url)).headers).not.toHaveProperty('content-security-policy')
  })

  test('http-proxy-middleware: shared, and stored although the client leaves', async () => {
    let runs = 0
    const gate = new Gate()
    const upstream = await listen(
      createServer((_req, res) => {
        runs++
        res.sendDate = false
        res.setHeader('Cache-Control', 'max-age=60, stale-while-revalidate=60')
        res.write(`run ${runs}, `)
        void gate.pass().then(() => res.end('end'))
      }),
    )
    const { url, cache, clock } = await serveApp((app, flight) => {
      app.use(flight)
      app.use(createProxyMiddleware({ target: upstream.url }))
    })
    const leader = open(url)
    await leader.response
    const waiter = ask(url)
    leader.leave()
    let stored = refilled(cache)
    gate.open()
    await stored
    expect((await waiter).body).toBe('run 1, end')
    expect((await ask(url)).headers['cache-status']).toContain('hit')
    clock.skip(61_000)
    stored = refilled(cache)
    expect((await ask(url)).body).toBe('run 1, end')
    await stored
    expect((await ask(url)).body).toBe('run 2, end')
  })

  test('an EJS view: rendered once', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'views-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'page.ejs'), '<p><%= count %></p>')
    let count = 0
    const { url } = await serveApp((app, flight) => {
      app.engine('ejs', ejs.renderFile as never)
      app.set('views', folder)
      app.use(flight)
      app.get('/', (_req: Request, res: Response) => {
        res.set('Cache-Control', 'max-age=60').render('page.ejs', { count: ++count })
      })
    })
    expect((await ask(url)).body).toBe('<p>1</p>')
    const hit = await ask(url)
    expect([hit.body, hit.headers['content-type']]).toEqual(['<p>1</p>', 'text/html; charset=utf-8'])
  })

  test('routers mounted at a path: the whole URL counts', async () => {
    const { url } = await serveApp((app, flight) => {
      const api = framework.Router()
      api.use(flight)
      api.get('/item', (req: Request, res: Response) => res.set('Cache-Control', 'max-age=60').send(req.originalUrl))
      app.use('/a', api)
      app.use('/b', api)
    })
    for (const path of ['/a/item', '/b/item', '/a/item']) expect((await ask(url + path)).body).toBe(path)
  })

  test('two of our middlewares on the way of one request: the second one lets it through', async () => {
    let runs = 0
    const { url } = await serveApp((app, flight) => {
      app.use(flight)
      app.use(flight)
      app.get('/', (_req: Request, res: Response) => res.set('Cache-Control', 'max-age=60').send(`run ${++runs}`))
    })
    expect((await ask(url)).body).toBe('run 1')
    expect((await ask(url)).body).toBe('run 1')
  })

  test('a store of the current user: a released handler finds its own', async () => {
    const users = new AsyncLocalStorage<string>()
    const gate = new Gate()
    let arrived = 0
    const { url } = await serveApp((app, flight) => {
      app.use((req: Request, _res: Response, next: () => void) => {
        users.run(String(req.headers['x-user']), next)
        arrived++
      })
      app.use(flight)
      app.get('/', async (_req: Request, res: Response) => {
        await gate.pass()
        res.set('Cache-Control', 'private').send(`for ${users.getStore()}`)
      })
    })
    const names = Array.from({ length: 10 }, (_, index) => `user ${index}`)
    const answers = names.map((name) => ask(url, { headers: { 'X-User': name } }))
    await expect.poll(() => arrived).toBe(10)
    gate.open()
    expect((await Promise.all(answers)).map(({ body }) => body)).toEqual(names.map((name) => `for ${name}`))
  })

  test('wrap: an error goes to the error handler, and a refill in the background sees it as one', async () => {
    let fails = false
    const { url, clock, cache } = await serveApp((app, _flight) => {
      const { wrap } = _flight as unknown as { wrap: (handler: RequestHandler) => RequestHandler }
      app.get(
        '/',
        wrap((_req, res, next) => {
          if (fails) next(new Error('out of order'))
          else res.set('Cache-Control', 'max-age=60, stale-while-revalidate=60').send('page')
        }),
      )
      app.use((error: Error, _req: Request, res: Response, _next: () => void) => {
        res.status(500).send(error.message)
      })
    })
    expect((await ask(`${url}/`)).body).toBe('page')
    clock.skip(61_000)
    fails = true
    const failure = new Promise((resolve) => cache.on('refill-failed', ({ error }) => resolve(error)))
    expect((await ask(`${url}/`)).body).toBe('page')
    expect(await failure).toMatchObject({ message: 'out of order' })
    clock.skip(61_000)
    const answer = await ask(`${url}/`)
    expect([answer.status, answer.body]).toEqual([500, 'out of order'])
  })

  test('wrap: an error gives way to a stale response while stale-if-error lasts', async () => {
    let fails = false
    const made = makeFlight()
    const app = framework()
    app.set('env', 'test')
    const handler = made.flight.wrap((_req: Request, res: Response, next) => {
      if (fails) next(new Error('out of order'))
      else res.set('Cache-Control', 'max-age=60, stale-if-error=60').send('page')
    })
    app.get('/', handler)
    app.use((error: Error, _req: Request, res: Response, _next: () => void) => {
      res.status(500).send(error.message)
    })
    const { url } = await listen(createServer(app))
    expect((await ask(`${url}/`)).body).toBe('page')
    fails = true
    made.clock.skip(61_000)
    expect(await ask(`${url}/`)).toMatchObject({ status: 200, body: 'page' })
    made.clock.skip(61_000)
    expect(await ask(`${url}/`)).toMatchObject({ status: 500, body: 'out of order' })
  })

  test('wrap: a handler that writes although it has passed on an error does not spoil the stale response', async () => {
    let fails = false
    const made = makeFlight()
    const app = framework()
    app.set('env', 'test')
    const handler = made.flight.wrap((_req: Request, res: Response, next) => {
      if (fails) next(new Error('out of order'))
      res.set('Cache-Control', 'max-age=60, stale-if-error=60').send('page')
    })
    app.get('/', handler)
    app.use((_error: Error, _req: Request, _res: Response, _next: () => void) => {})
    const { url } = await listen(createServer(app))
    await ask(`${url}/`)
    fails = true
    made.clock.skip(61_000)
    expect(await ask(`${url}/`)).toMatchObject({ status: 200, body: 'page', complete: true })
  })
})
