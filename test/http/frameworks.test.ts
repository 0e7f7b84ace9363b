import { createServer, type RequestListener } from 'node:http'
import { once } from 'node:events'
import { type ClientHttp2Session, connect, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'

import express from 'express'
import Fastify, { type FastifyInstance } from 'fastify'
import Koa from 'koa'
import { expect, onTestFinished, test } from 'vitest'

import { createPlugin } from '../../src/middleware/fastify/plugin.ts'
import { createKoaFlight } from '../../src/middleware/koa/single-flight.ts'
import { createMiddleware } from '../../src/middleware/node/single-flight.ts'
import { systemRandom } from '../../src/random.ts'
import { ask } from './support/client.ts'
import { listen, makeFlight, refilled } from './support/serve.ts'

const CONTROL = { 'Cache-Control': 'public, max-age=60, stale-while-revalidate=60' }
type Made = Pick<ReturnType<typeof makeFlight>, 'clock' | 'cache'>
type Page = () => string

const FRAMEWORKS = {
  express({ cache, clock }: Made, page: Page): RequestListener {
    const app = express().use(createMiddleware({ cache }, { clock, random: systemRandom }))
    return app.get('/page', (_request, response) => void response.set(CONTROL).send(page()))
  },
  koa({ cache, clock }: Made, page: Page): RequestListener {
    const app = new Koa().use(createKoaFlight({ cache }, { clock, random: systemRandom }))
    app.use((context) => {
      context.set(CONTROL)
      context.body = page()
    })
    const listener = app.callback()
    return (request, response) => void listener(request, response)
  },
  async fastify({ cache, clock }: Made, page: Page, app: FastifyInstance = Fastify()): Promise<RequestListener> {
    await app.register(createPlugin({ clock, random: systemRandom }), { cache })
    app.get('/page', (_request, reply) => reply.headers(CONTROL).send(page()))
    await app.ready()
    onTestFinished(() => app.close())
    return (request, response) => app.routing(request, response)
  },
}

test('what one framework has stored the others serve', async () => {
  const made = makeFlight()
  const names = Object.keys(FRAMEWORKS) as Array<keyof typeof FRAMEWORKS>
  const asking = await Promise.all(
    names.map(async (name) => {
      const { url } = await listen(createServer(await FRAMEWORKS[name](made, () => `by ${name}`)))
      return () => ask(`${url}/page`, { headers: { Host: 'shop.example' } })
    }),
  )
  for (const [index, first] of asking.entries()) {
    const stored = refilled(made.cache)
    expect((await first()).body).toBe(`by ${names[index]}`)
    await stored
    const answers = await Promise.all(asking.map((other) => other()))
    expect(new Set(answers.map(({ body }) => body))).toEqual(new Set([`by ${names[index]}`]))
    await made.cache.clear()
  }
})

test.each(['koa', 'fastify'] as const)(
  '%s: by HTTP/2 hits, stale answers and refills in the background',
  async (name) => {
    const made = makeFlight()
    let runs = 0
    const page = (): string => `run ${++runs}`
    const listener =
      name === 'koa'
        ? FRAMEWORKS.koa(made, page)
        : await FRAMEWORKS.fastify(made, page, Fastify({ http2: true }) as unknown as FastifyInstance)
    const server = createHttp2Server(listener as never).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    onTestFinished(() => {
      session.destroy()
      server.close()
    })
    const stored = refilled(made.cache)
    expect(await bodyOf(session)).toBe('run 1')
    await stored
    expect(await bodyOf(session)).toBe('run 1')
    made.clock.skip(61_000)
    const again = refilled(made.cache)
    expect(await bodyOf(session)).toBe('run 1')
    await again
    expect([await bodyOf(session), runs]).toEqual(['run 2', 2])
  },
)

async function bodyOf(session: ClientHttp2Session): Promise<string> {
  let body = ''
  for await (const chunk of session.request({ ':path': '/page' })) body += String(chunk)
  return body
}
