import 'reflect-metadata'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { Readable } from 'node:stream'

import { Controller, Header, Sse } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import express from 'express'
import Fastify from 'fastify'
import { EventStream, H3 } from 'h3'
import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import { getRequestListener } from '@hono/node-server'
import Koa from 'koa'
import { from, map, type Observable } from 'rxjs'
import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { createPlugin } from '../../src/middleware/fastify/plugin.ts'
import { createHonoFlight } from '../../src/middleware/hono/single-flight.ts'
import { createKoaFlight } from '../../src/middleware/koa/single-flight.ts'
import { systemRandom } from '../../src/random.ts'
import { toldProducer } from '../support/told-producer.ts'
import { ask, open } from './support/client.ts'
import { listenerOf } from './support/fetch-server.ts'
import { listen, makeFetchFlight, makeFlight } from './support/serve.ts'

/** The numbers of the events that a handler is to send, as they come. Each call is one run. */
type Source = () => AsyncIterable<number>

/** Frameworks say no-cache of event streams; this field is for the middleware alone. */
const [FIELD, CONTROL] = ['SingleFlight-Cache-Control', 'max-age=60'] as const
const SSE = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache', [FIELD]: CONTROL }
const SHARED = { shareEventStreams: true }

async function* lines(source: Source): AsyncGenerator<string> {
  for await (const number of source()) yield `data: ${number}\n\n`
}

/** Each sends an event stream in the framework's own way. */
const FRAMEWORKS: Readonly<Record<string, (source: Source) => RequestListener | Promise<RequestListener>>> = {
  Express(source) {
    return express()
      .use(makeFlight(SHARED).flight)
      .get('/events', (_request, response) => {
        response.set(SSE).flushHeaders()
        Readable.from(lines(source)).pipe(response)
      })
  },
  Koa(source) {
    const { clock, cache } = makeFlight()
    const app = new Koa().use(createKoaFlight({ ...SHARED, cache }, { clock, random: systemRandom }))
    app.use((context) => {
      context.set(SSE)
      context.body = Readable.from(lines(source))
    })
    const listener = app.callback()
    return (request, response) => void listener(request, response)
  },
  async Fastify(source) {
    const { clock, cache } = makeFlight()
    const app = Fastify()
    await app.register(createPlugin({ clock, random: systemRandom }), { ...SHARED, cache })
    app.get('/events', (_request, reply) => reply.headers(SSE).send(Readable.from(lines(source))))
    await app.ready()
    onTestFinished(() => app.close())
    return (request, response) => app.routing(request, response)
  },
  Hono(source) {
    const { clock, cache } = makeFetchFlight()
    const app = new Hono().use(createHonoFlight({ ...SHARED, cache } as never, { clock, random: systemRandom }))
    app.get('/events', (context) => {
      context.header(FIELD, CONTROL)
      return streamSSE(context, async (stream) => {
        for await (const number of source()) await stream.writeSSE({ data: String(number) })
      })
    })
    const listener = getRequestListener(app.fetch)
    return (request, response) => void listener(request, response)
  },
  H3(source) {
    const app = new H3().get('/events', (event) => {
      event.res.headers.set(FIELD, CONTROL)
      const stream = new EventStream(event)
      void (async () => {
        for await (const number of source()) await stream.push(String(number))
        await stream.close()
      })()
      return stream
    })
    const { flight } = makeFetchFlight(SHARED)
    return listenerOf(flight.wrap((request: Request) => app.fetch(request)))
  },
  'NestJS on Express': (source) => nest(source, new ExpressAdapter()),
  'NestJS on Fastify': (source) => nest(source, new FastifyAdapter()),
}

async function nest(source: Source, adapter: ExpressAdapter | FastifyAdapter): Promise<RequestListener> {
  @Controller()
  class Events {
    @Sse('events')
    @Header(FIELD, CONTROL)
    events(): Observable<{ data: string }> {
      return from(source()).pipe(map((number) => ({ data: String(number) })))
    }
  }
  const module = { module: class App {}, controllers: [Events] }
  const app = await NestFactory.create(module, adapter as never, { logger: false })
  app.use(makeFlight(SHARED).flight)
  onTestFinished(() => app.close())
  await app.init()
  const instance = app.getHttpAdapter().getInstance()
  if (adapter instanceof ExpressAdapter) return instance
  await instance.ready()
  return (request, response) => instance.routing(request, response)
}

interface Following {
  readonly numbers: () => number[]
  readonly ended: Promise<boolean>
}

async function follow(url: string): Promise<Following> {
  const response: IncomingMessage = await open(url).response
  let text = ''
  response.setEncoding('utf8').on('data', (piece: string) => (text += piece))
  const ended = new Promise<boolean>((resolve) => response.once('close', () => resolve(response.complete)))
  return { numbers: () => [...text.matchAll(/^data: ?(\d+)$/gm)].map(([, number]) => Number(number)), ended }
}

const has = (following: Following, numbers: number[]): Promise<void> =>
  vi.waitFor(() => expect(following.numbers()).toEqual(numbers), { timeout: 5000, interval: 5 })

describe.each(Object.entries(FRAMEWORKS))('an event stream in %s', (_name, serve) => {
  test('runs once for all its readers, piece by piece, and is kept', async () => {
    const told = toldProducer<number>()
    const signal = new AbortController().signal
    const source: Source = () => told.producer({ resumeFrom: 0, signal } as never)
    const { url } = await listen(createServer(await serve(source)))
    const events = `${url}/events`
    told.say(1)
    const first = await follow(events)
    await has(first, [1])
    const second = await follow(events)
    await has(second, [1])
    told.say(2)
    for (const each of [first, second]) await has(each, [1, 2])
    told.end()
    for (const each of [first, second]) expect(await each.ended).toBe(true)
    await expect.poll(async () => (await ask(events)).headers['cache-status']).toContain('herdlock; hit')
    const kept = await follow(events)
    expect(await kept.ended).toBe(true)
    expect(kept.numbers()).toEqual([1, 2])
    expect(told.runs).toHaveLength(1)
  })
})
