import { once } from 'node:events'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

import { Redis } from 'ioredis'
import type { HttpServer } from '@nestjs/common'

import { createCache } from '../../../src/cache/create-cache.ts'
import { parent, ready } from '../../support/worker-side.ts'

/**
 * One process of a herd: serves a page by the framework that it is told. Its handlers count their runs in Redis, where all
 * processes count together.
 */
const [redisUrl, prefix, framework] = process.argv.slice(2) as [string, string, string]
const redis = new Redis(redisUrl)
const counter = new Redis(redisUrl)
const cache = createCache({ ttl: 60_000, redis, prefix })

async function page(): Promise<string> {
  const run = await counter.incr(`${prefix}:runs`)
  await delay(300)
  return `run ${run}`
}

const CONTROL = { 'Cache-Control': 'public, max-age=60' }

const onNode = async () => (await import('../../../src/middleware/node/single-flight.ts')).singleFlight({ cache })
const onFetch = async () => (await import('../../../src/middleware/fetch/single-flight.ts')).singleFlight({ cache })
const listenerOf = async (handler: (request: Request) => Response | Promise<Response>): Promise<RequestListener> => {
  const listener = (await import('@hono/node-server')).getRequestListener(handler)
  return (request, response) => void listener(request, response)
}

/** What each framework makes of `page`, as its documentation says. Each loads its own packages alone. */
const FRAMEWORKS: Record<string, () => Promise<RequestListener>> = {
  async 'express 4'() {
    const app = (await import('express4')).default().use(await onNode())
    app.get('/page', (_request, response, next) => {
      page().then((body) => response.set(CONTROL).send(body), next)
    })
    return app
  },
  async 'express 5'() {
    const app = (await import('express')).default().use(await onNode())
    app.get('/page', async (_request, response) => void response.set(CONTROL).send(await page()))
    return app
  },
  async connect() {
    const app = (await import('connect')).default().use(await onNode())
    app.use('/page', (_request, response, next) => {
      page().then((body) => response.writeHead(200, CONTROL).end(body), next)
    })
    return app
  },
  async http() {
    const flight = await onNode()
    const answer = async (response: ServerResponse) => response.writeHead(200, CONTROL).end(await page())
    return (request, response) => flight(request, response, () => void answer(response))
  },
  async fetch() {
    return listenerOf((await onFetch()).wrap(async () => new Response(await page(), { headers: CONTROL })))
  },
  async hono() {
    const { Hono } = await import('hono')
    const { singleFlight } = await import('../../../src/middleware/hono/single-flight.ts')
    const app = new Hono().use(singleFlight({ cache }))
    app.get('/page', async (context) => context.text(await page(), 200, CONTROL))
    return listenerOf(app.fetch)
  },
  async koa() {
    const Koa = (await import('koa')).default
    const { singleFlight } = await import('../../../src/middleware/koa/single-flight.ts')
    const app = new Koa().use(singleFlight({ cache }))
    app.use(async (context) => {
      context.set(CONTROL)
      context.body = await page()
    })
    const listener = app.callback()
    return (request, response) => void listener(request, response)
  },
  async fastify() {
    const app = (await import('fastify')).default()
    await app.register((await import('../../../src/fastify.ts')).herdlock, { cache })
    app.get('/page', async (_request, reply) => reply.headers(CONTROL).send(await page()))
    await app.ready()
    return (request, response) => app.routing(request, response)
  },
  async h3() {
    const { H3, toNodeHandler } = await import('h3')
    const app = new H3().get('/page', async ({ res }) => {
      res.headers.set('Cache-Control', CONTROL['Cache-Control'])
      return page()
    })
    const flight = await onFetch()
    const listener = toNodeHandler(new H3().all('/**', ({ req }) => flight(req, (seen) => app.fetch(seen))))
    return (request, response) => void listener(request, response)
  },
  async 'nest on express'() {
    const { ExpressAdapter } = await import('@nestjs/platform-express')
    return (await nest(new ExpressAdapter())).getInstance()
  },
  async 'nest on fastify'() {
    const { FastifyAdapter } = await import('@nestjs/platform-fastify')
    const app = (await nest(new FastifyAdapter())).getInstance()
    await app.ready()
    return (request, response) => app.routing(request, response)
  },
}

async function nest<A extends HttpServer>(adapter: A): Promise<A> {
  const { Controller, Get, Header } = await import('@nestjs/common')
  const { NestFactory } = await import('@nestjs/core')
  const { HerdlockModule, SingleFlight } = await import('../../../src/nestjs.ts')

  @Controller()
  class Pages {
    @Get('page')
    @SingleFlight()
    @Header('Cache-Control', CONTROL['Cache-Control'])
    page(): Promise<string> {
      return page()
    }
  }

  const imports = [HerdlockModule.forRoot({ cache })]
  const module = { module: class App {}, imports, controllers: [Pages] }
  const app = await NestFactory.create(module, adapter as never, { logger: ['error', 'warn'] })
  await app.init()
  return adapter
}

const make = FRAMEWORKS[framework]
if (make === undefined) throw new Error(`no framework ${framework}`)
const server = createServer(await make()).listen(0, '127.0.0.1')
await once(server, 'listening')
await cache.getOrRefill('warm-up', () => 'warm')
ready()
parent.send({ type: 'listening', port: (server.address() as AddressInfo).port })
