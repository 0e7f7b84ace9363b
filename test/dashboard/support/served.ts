import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import connect from 'connect'
import express from 'express'
import express4 from 'express4'
import { onTestFinished } from 'vitest'
import type { Cache } from '../../../src/cache/cache.ts'
import { createCache } from '../../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../../src/cache/options.ts'
import { systemClock } from '../../../src/clock.ts'
import { createDashboard, type Dashboard } from '../../../src/dashboard/dashboard.ts'
import { resolveDashboard, type DashboardOptions } from '../../../src/dashboard/options.ts'
import { systemRandom } from '../../../src/random.ts'

export const MOUNTS = ['Express 5', 'Express 4', 'Connect', 'node:http', 'node:http at its root'] as const
type Mount = (typeof MOUNTS)[number]

export interface Served {
  readonly cache: Cache
  readonly page: Dashboard
  readonly server: Server
  /** Of the page itself, with a slash at its end. */
  readonly url: string
}

/** A cache in memory, unless told otherwise, and its page. Closed after the test. */
export async function served(
  options: Partial<DashboardOptions> & { cacheOptions?: Partial<CacheOptions>; process?: string } = {},
  mount: Mount = 'node:http',
): Promise<Served> {
  const { cacheOptions, process = 'this:1', ...rest } = options
  const cache = createCache({ ttl: 60_000, ...cacheOptions })
  const path = mount === 'node:http' ? { path: '/herdlock' } : {}
  const resolved = resolveDashboard({ caches: { main: cache }, ...path, ...rest })
  const page = createDashboard(resolved, { clock: systemClock, random: systemRandom, process })
  const server = createServer(mounted(mount, page))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    page.close()
    server.close()
    server.closeAllConnections()
    await cache.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    cache,
    page,
    server,
    url: `http://127.0.0.1:${port}${mount === 'node:http at its root' ? '/' : '/herdlock/'}`,
  }
}

function mounted(mount: Mount, page: Dashboard): RequestListener {
  switch (mount) {
    case 'Express 5':
      return express().use('/herdlock', page)
    case 'Express 4':
      return express4().use('/herdlock', page)
    case 'Connect':
      return connect().use('/herdlock', page)
    case 'node:http':
    case 'node:http at its root':
      return page
  }
}

export interface Answered {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
}

export interface Asking {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: object | string
}

/** One request on a connection of its own, with the headers as they are given: `fetch` would not let some be set. */
export async function ask(url: string, { method = 'GET', headers = {}, body }: Asking = {}): Promise<Answered> {
  const outgoing = request(url, { method, headers, agent: false })
  outgoing.end(typeof body === 'object' ? JSON.stringify(body) : body)
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk)
  return { status: response.statusCode ?? 0, headers: response.headers, text }
}

export interface Stream {
  readonly response: IncomingMessage
  /** The next message of that kind, its data parsed. */
  next<T>(event: 'greeting' | 'update'): Promise<T>
  readonly comments: readonly string[]
  leave(): void
}

/** A viewer. */
export async function watch(url: string): Promise<Stream> {
  const outgoing = request(`${url}events`, { agent: false }).end()
  outgoing.on('error', () => {})
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  response.on('error', () => {})
  const messages: { event: string; data: string }[] = []
  const comments: string[] = []
  let rest = ''
  let wake = (): void => {}
  response.setEncoding('utf8').on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\n\n')
    rest = parts.pop() ?? ''
    for (const part of parts) {
      const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(part) ?? []
      if (event === undefined || data === undefined) comments.push(part)
      else messages.push({ event, data })
    }
    wake()
  })
  return {
    response,
    comments,
    async next<T>(event: string) {
      for (;;) {
        const at = messages.findIndex((message) => message.event === event)
        if (at !== -1) return JSON.parse((messages.splice(0, at + 1).pop() as { data: string }).data) as T
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },
    leave: () => outgoing.destroy(),
  }
}
