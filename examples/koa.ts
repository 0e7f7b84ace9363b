// How do I keep a herd of requests off the slow handlers of a Koa app?
//
// Look at: the order of the layers. The one that counts stands outside and sees every request; the one that takes long
//          stands inside and runs once for all.
// Run:     npm run example examples/koa.ts
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { singleFlight } from 'herdlock/koa'
import Koa from 'koa'

const flight = singleFlight()
const app = new Koa()

let requests = 0
app.use(async (ctx, next) => {
  requests++
  ctx.set('X-Request-Id', String(requests))
  await next()
})
app.use(flight)

let runs = 0
const pages: Record<string, (ctx: Koa.Context) => Promise<void>> = {
  async '/report'(ctx) {
    runs++
    await delay(200) // the slow query
    ctx.set('Cache-Control', 'public, max-age=60')
    ctx.body = { rows: [1, 2, 3] }
  },
  async '/account'(ctx) {
    runs++
    ctx.set('Cache-Control', 'private')
    ctx.body = { of: ctx.get('Authorization') }
  },
}
app.use(async (ctx) => pages[ctx.path]?.(ctx))

const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

async function ask(path: string, count: number, headersOf: (index: number) => Record<string, string>): Promise<void> {
  requests = 0
  runs = 0
  const asked = Array.from({ length: count }, async (_, index) => {
    const response = await fetch(url + path, { headers: headersOf(index) })
    return [await response.text(), response.headers.get('x-request-id')] as const
  })
  const answers = await Promise.all(asked)
  const [bodies, ids] = [0, 1].map((part) => new Set(answers.map((answer) => answer[part])).size)
  console.log(`${requests} × ${path}: ${bodies} different answers, ${ids} request ids | runs: ${runs}`)
}

await ask('/report', 100, () => ({}))
await ask('/report', 100, () => ({}))
await ask('/account', 20, (user) => ({ Authorization: `user ${user}` }))

server.close()
server.closeAllConnections()
await flight.close()
