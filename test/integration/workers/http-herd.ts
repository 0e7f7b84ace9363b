import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

import { getRequestListener } from '@hono/node-server'
import express from 'express'
import Fastify from 'fastify'
import { H3, toNodeHandler } from 'h3'
import { Hono } from 'hono'
import { Redis } from 'ioredis'
import Koa from 'koa'
import { Controller, Get, Header, type HttpServer } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'

import { createCache } from '../../../src/cache/create-cache.ts'
import { herdlock } from '../../../src/fastify.ts'
import { singleFlight as fetchFlight } from '../../../src/middleware/fetch/single-flight.ts'
import { singleFlight as honoFlight } from '../../../src/middleware/hono/single-flight.ts'
import { singleFlight as koaFlight } from '../../../src/middleware/koa/single-flight.ts'
import { singleFlight as nodeFlight } from '../../../src/middleware/node/single-flight.ts'
import { HerdlockModule, SingleFlight } from '../../../src/nestjs.ts'
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

/** What each framework makes of `page`, as its documentation says. */
const FRAMEWORKS: Record<string, () => RequestListener | Promise<RequestListener>> = {
  express() {
    const app = express().use(nodeFlight({ cache }))
    app.get('/page', async (_request, response) => void response.set(CONTROL).send(await page()))
    return app
  },
  fetch() {
    const flight = fetchFlight({ cache })
    const listener = getRequestListener(flight.wrap(async () => new Response(await page(), { headers: CONTROL })))
    return (request, response) => void listener(request, response)
  },
  hono() {
    const app = new Hono().use(honoFlight({ cache }))
    app.get('/page', async (context) => context.text(await page(), 200, CONTROL))
    const listener = getRequestListener(app.fetch)
    return (request, response) => void listener(request, response)
  },
  async fastify() {
    const app = Fastify()
    await app.register(herdlock, { cache })
    app.get('/page', async (_request, reply) => reply.headers(CONTROL).send(await page()))
    await app.ready()
    return (request, response) => app.routing(request, response)
  },
  h3() {
    const app = new H3().get('/page', async ({ res }) => {
      res.headers.set('Cache-Control', CONTROL['Cache-Control'])
      return page()
    })
    const flight = fetchFlight({ cache })
    const listener = toNodeHandler(new H3().all('/**', ({ req }) => flight(req, (seen) => app.fetch(seen))))
    return (request, response) => void listener(request, response)
  },
  async 'nest on express'() {
    return (await nest(new ExpressAdapter())).getInstance()
  },
  async 'nest on fastify'() {
    const app = (await nest(new FastifyAdapter())).getInstance()
    await app.ready()
    return (request, response) => app.routing(request, response)
  },
  koa() {
    const app = new Koa().use(koaFlight({ cache }))
    app.use(async (context) => {
      context.set(CONTROL)
      context.body = await page()
    })
    const listener = app.callback()
    return (request, response) => void listener(request, response)
  },
}

@Controller()
class Pages {
  @Get('page')
  @SingleFlight()
  @Header('Cache-Control', CONTROL['Cache-Control'])
  page(): Promise<string> {
    return page()
  }
}

async function nest<A extends HttpServer>(adapter: A): Promise<A> {
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
