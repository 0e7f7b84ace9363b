import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { createCache } from '../../../dist/index.js'
import { dashboard } from '../../../dist/dashboard.js'
import { singleFlight } from '../../../dist/express.js'
import { deferred } from './deferred.js'

const HERD = Array.from({ length: 50 }, (_, index) => index)

/** `work` with what asks a server of `handler` behind `singleFlight`. */
async function serving(handler, work, options = {}) {
  const flight = singleFlight(options)
  const server = createServer((req, res) => flight(req, res, () => void handler(req, res)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const { port } = server.address()
    await work((given) => ask(port, given), port)
  } finally {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
    await flight.close()
  }
}

/** The whole answer, and whether it was whole. */
async function ask(port, { path = '/', method = 'GET', headers = {}, onFirst } = {}) {
  const req = request({ port, host: '127.0.0.1', path, method, headers, agent: false })
  req.end()
  const [res] = await once(req, 'response')
  let body = ''
  await new Promise((resolve) => {
    res.on('data', (chunk) => {
      body += chunk
      onFirst?.()
    })
    res.once('error', resolve).once('end', resolve).once('close', resolve)
  })
  return { status: res.statusCode, headers: res.headers, body, complete: res.complete }
}

const page = (res, body, cacheControl = 'max-age=60') => {
  res.setHeader('Cache-Control', cacheControl)
  res.end(body)
}

export const httpPromises = {
  'a herd of requests runs one handler': () => {
    let runs = 0
    const handler = async (_req, res) => (runs++, await delay(50), page(res, 'body'))
    return serving(handler, async (get) => {
      const answers = await Promise.all(HERD.map(() => get()))
      assert(answers.every(({ body, complete }) => body === 'body' && complete))
      assert.equal(runs, 1)
    })
  },
  'a stored response answers with Age and Cache-Status': () =>
    serving(
      (_req, res) => page(res, 'body'),
      async (get) => {
        await get()
        const { headers, body } = await get()
        assert.equal(body, 'body')
        assert.match(headers['cache-status'], /^herdlock; hit/)
        assert('age' in headers)
      },
    ),
  'a stored response answers a condition with 304': () =>
    serving(
      (_req, res) => (res.setHeader('ETag', '"1"'), page(res, 'body')),
      async (get) => {
        await get()
        const { status, body } = await get({ headers: { 'If-None-Match': '"1"' } })
        assert.deepEqual([status, body], [304, ''])
      },
    ),
  'a stored response answers a range with its part': () =>
    serving(
      (_req, res) => (res.setHeader('Accept-Ranges', 'bytes'), page(res, '0123456789')),
      async (get) => {
        await get()
        const { status, body } = await get({ headers: { Range: 'bytes=2-4' } })
        assert.deepEqual([status, body], [206, '234'])
      },
    ),
  'a GET answers a HEAD': () =>
    serving(
      (_req, res) => page(res, 'body'),
      async (get) => {
        await get()
        const { headers, body } = await get({ method: 'HEAD' })
        assert.deepEqual([body, headers['content-length']], ['', '4'])
      },
    ),
  'who follows has the first piece before the last is written': () => {
    const seen = deferred()
    const handler = async (_req, res) => {
      res.setHeader('Cache-Control', 'max-age=60')
      res.write('first ')
      await seen.promise
      res.end('last')
    }
    return serving(handler, async (get) => {
      const counted = new Set()
      const asked = [0, 1, 2].map((client) => {
        const onFirst = () => {
          counted.add(client)
          if (counted.size === 3) seen.resolve()
        }
        return get({ onFirst })
      })
      const answers = await Promise.all(asked)
      assert.deepEqual(new Set(answers.map(({ body }) => body)), new Set(['first last']))
    })
  },
  'a private response goes to its own client alone': () => {
    let runs = 0
    const handler = async (_req, res) => (await delay(20), page(res, `run ${++runs}`, 'private'))
    return serving(handler, async (get) => {
      const answers = await Promise.all(HERD.map(() => get()))
      assert.equal(new Set(answers.map(({ body }) => body)).size, HERD.length)
    })
  },
  'a stale response is sent while the handler runs in the background': async () => {
    let runs = 0
    const cache = createCache({ ttl: 1000 })
    const handler = (_req, res) => page(res, `run ${++runs}`, 'max-age=1, stale-while-revalidate=60')
    await serving(
      handler,
      async (get) => {
        await get()
        await delay(1100)
        const refilled = new Promise((resolve) => cache.on('refilled', resolve))
        assert.equal((await get()).body, 'run 1')
        await refilled
        assert.equal((await get()).body, 'run 2')
      },
      { cache },
    )
    await cache.close()
  },
  'the client that began may leave': () => {
    const begun = deferred()
    const handler = async (_req, res) => (begun.resolve(), await delay(100), page(res, 'body'))
    return serving(handler, async (get, port) => {
      const first = request({ port, host: '127.0.0.1', agent: false })
      first.on('error', () => {})
      first.end()
      await begun.promise
      const follower = get()
      first.destroy()
      const { body, complete } = await follower
      assert.deepEqual([body, complete], ['body', true])
    })
  },
  'a response that breaks off is whole for nobody': () => {
    const handler = async (_req, res) => {
      res.setHeader('Cache-Control', 'max-age=60')
      res.setHeader('Content-Length', '100')
      res.write('half')
      await delay(50)
      res.destroy()
    }
    return serving(handler, async (get) => {
      const answers = await Promise.all([get(), get()])
      assert.deepEqual(
        answers.map(({ complete }) => complete),
        [false, false],
      )
    })
  },
  'an unsafe method passes and invalidates': () => {
    let runs = 0
    return serving(
      (_req, res) => page(res, `run ${++runs}`),
      async (get) => {
        await get()
        await get({ method: 'POST' })
        assert.equal((await get()).body, 'run 3')
      },
    )
  },
  'Vary keeps variants apart': () =>
    serving(
      (req, res) => (res.setHeader('Vary', 'Accept-Language'), page(res, req.headers['accept-language'])),
      async (get) => {
        for (const language of ['de', 'en', 'de', 'en']) {
          assert.equal((await get({ headers: { 'Accept-Language': language } })).body, language)
        }
      },
    ),
  'the dashboard shows its page': async () => {
    const cache = createCache({ ttl: 1000 })
    const shown = dashboard({ caches: [cache] })
    const server = createServer((req, res) => shown(req, res, () => res.end()))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { status, body } = await ask(server.address().port)
    server.closeAllConnections()
    server.close()
    await cache.close()
    assert.equal(status, 200)
    assert.match(body, /<html/i)
  },
}
