import { createServer, type IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { createCacheOn } from '../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../src/cache/options.ts'
import type { OptionsFor } from '../../src/middleware/options.ts'
import { createFlight } from '../../src/middleware/fetch/single-flight.ts'
import { createMiddleware } from '../../src/middleware/node/single-flight.ts'
import { systemRandom } from '../../src/random.ts'
import { deferred } from '../support/deferred.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'
import { ask, open } from './support/client.ts'
import { listenerOf } from './support/fetch-server.ts'
import { nodeStyle } from './support/node-style.ts'
import { listen, type PlainHandler } from './support/serve.ts'
import { SkippingClock } from './support/skipping-clock.ts'

const HOST = { Host: 'shop.example' }
const SSE = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'max-age=60' }
const event = (id: number): string => `id: ${id}\ndata: ${id}\n\n`
const events = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, index) => event(from + index)).join('')

type Door = 'node' | 'fetch'

interface Setup {
  readonly door?: Door
  readonly processes?: number
  readonly withRedis?: boolean
  readonly options?: OptionsFor<never>
  readonly fields?: Record<string, string>
  readonly cacheOptions?: Partial<CacheOptions>
}

/** A handler that writes what the test says, when it says so, behind caches that share a Redis, as processes do. */
async function serveStream(setup: Setup = {}) {
  const { door = 'node', processes = 2, withRedis = true, options = { shareEventStreams: true }, fields = SSE } = setup
  const prefix = uniquePrefix('http-stream')
  const runs: { seen: IncomingMessage['headers']; closed: boolean }[] = []
  let pieces: string[] = []
  let isEnded = false
  let news = deferred()
  const tell = (): void => {
    news.resolve()
    news = deferred()
  }
  const handler: PlainHandler = async (req, res) => {
    const run = { seen: { ...req.headers }, closed: false }
    runs.push(run)
    res.once('close', () => (run.closed = true))
    res.writeHead(200, fields)
    res.flushHeaders()
    for (let next = 0; ;) {
      if (next < pieces.length) res.write(pieces[next++])
      else if (isEnded) return void res.end()
      else await news.promise
    }
  }
  const servers = await Promise.all(
    Array.from({ length: processes }, async () => {
      const redis = withRedis ? new Redis(sharedRedis().url) : undefined
      const doors = { clock: new SkippingClock(), random: systemRandom }
      const cache = createCacheOn({ ttl: 60_000, redis, prefix, ...setup.cacheOptions }, doors.clock, doors.random)
      onTestFinished(async () => {
        await cache.close()
        redis?.disconnect()
      })
      await cache.getOrRefill('warm-up', () => 'warm')
      const flight = door === 'node' ? createMiddleware({ ...options, cache } as never, doors) : undefined
      const fetchFlight = door === 'fetch' ? createFlight({ ...options, cache } as never, doors) : undefined
      const wrapped = fetchFlight?.wrap(nodeStyle(handler))
      const { url } = await listen(
        createServer(wrapped ? listenerOf(wrapped) : (req, res) => flight?.(req, res, () => void handler(req, res))),
      )
      return {
        cache,
        get: (headers: Record<string, string> = {}) => ask(url, { headers: { ...HOST, ...headers } }),
        follow: (headers: Record<string, string> = {}) => Following.of(url, headers),
      }
    }),
  )
  return {
    runs,
    prefix,
    servers: servers as [(typeof servers)[0], (typeof servers)[0]],
    say: (...more: string[]): void => {
      pieces = [...pieces, ...more]
      tell()
    },
    end: (): void => {
      isEnded = true
      tell()
    },
    restart: (): void => {
      pieces = []
      isEnded = false
    },
  }
}

/** A client that reads an answer as it comes. */
class Following {
  text = ''
  readonly response: IncomingMessage
  readonly leave: () => void
  /** Resolves with whether the answer came to its proper end. */
  readonly ended: Promise<boolean>

  static async of(url: string, headers: Record<string, string>): Promise<Following> {
    const { response, leave } = open(url, { headers: { ...HOST, ...headers } })
    return new Following(await response, leave)
  }

  constructor(response: IncomingMessage, leave: () => void) {
    this.response = response
    this.leave = leave
    response.setEncoding('utf8').on('data', (text: string) => (this.text += text))
    response.on('error', () => {})
    this.ended = new Promise((resolve) => response.once('close', () => resolve(response.complete)))
  }

  async until(text: string): Promise<void> {
    await vi.waitFor(
      () => {
        if (this.text !== text) throw new Error(`it has ${JSON.stringify(this.text)}`)
      },
      { timeout: 5000, interval: 5 },
    )
  }
}

describe.each(['node', 'fetch'] as const)('an event stream, %s', (door) => {
  test('is followed from the first event on, in this process and in others, and kept', async () => {
    const { servers, runs, say, end } = await serveStream({ door })
    const [one, two] = servers
    say(event(1))
    const first = await one.follow()
    await first.until(event(1))
    const readers = await Promise.all([one, two, two].map((each) => each.follow()))
    for (const each of readers) await each.until(event(1))
    say(event(2))
    for (const each of [first, ...readers]) await each.until(events(1, 2))
    const late = await two.follow()
    await late.until(events(1, 2))
    say(event(3))
    end()
    for (const each of [first, ...readers, late]) {
      expect(await each.ended).toBe(true)
      expect(each.text).toBe(events(1, 3))
      expect(each.response.headers['content-type']).toBe('text/event-stream')
    }
    expect(readers.map((each) => each.response.headers['cache-status'])).toEqual(
      readers.map(() => 'herdlock; fwd=uri-miss; fwd-status=200; collapsed'),
    )
    for (const each of servers) {
      await expect.poll(async () => (await each.get()).headers['cache-status']).toMatch('herdlock; hit')
      expect((await each.get()).body).toBe(events(1, 3))
    }
    expect(runs).toHaveLength(1)
  })

  test('Last-Event-ID goes on behind that event, of one that is written and of one that is kept', async () => {
    const { servers, runs, say, end } = await serveStream({ door })
    const [one, two] = servers
    say(event(1), 'id: 2\r\ndata:', ' 2\r\n\r\ndata: no id\n\n')
    const first = await one.follow()
    const all = `${event(1)}id: 2\r\ndata: 2\r\n\r\ndata: no id\n\n`
    await first.until(all)
    const resumed = await Promise.all([one, two].map((each) => each.follow({ 'Last-Event-ID': '2' })))
    const unknown = await Promise.all([one, two].map((each) => each.follow({ 'Last-Event-ID': '3' })))
    for (const each of resumed) await each.until('data: no id\n\n')
    for (const each of unknown) await each.until(all)
    say(event(3))
    end()
    for (const each of resumed) {
      expect(await each.ended).toBe(true)
      expect(each.text).toBe(`data: no id\n\n${event(3)}`)
      expect(each.response.headers['cache-control']).toBe('no-store') // for caches on the way it is not the whole
    }
    for (const each of [first, ...unknown]) {
      expect(await each.ended).toBe(true)
      expect(each.text).toBe(all + event(3))
    }
    for (const { get } of servers) {
      await expect.poll(async () => (await get()).headers['cache-status']).toMatch('herdlock; hit')
      const { body, headers } = await get({ 'Last-Event-ID': '2' })
      expect([body, headers['cache-control']]).toEqual([`data: no id\n\n${event(3)}`, 'no-store'])
      expect((await get({ 'Last-Event-ID': '3' })).body).toBe('')
      expect((await get({ 'Last-Event-ID': '4' })).body).toBe(all + event(3))
    }
    expect(runs).toHaveLength(1)
  })

  test('who comes after a change of one of its groups has another run, in every process; those who read go on', async () => {
    const fields = { ...SSE, 'Cache-Groups': '"news"' }
    const { servers, runs, say, end } = await serveStream({ door, fields, processes: 3 })
    say(event(1))
    const first = await servers[0].follow()
    const other = await servers[1].follow()
    for (const each of [first, other]) await each.until(event(1))
    const heard = new Promise<unknown>((resolve) => servers[0].cache.on('invalidated', resolve))
    await servers[1].cache.invalidateTags('news')
    await heard
    const later = await Promise.all(servers.map((each) => each.follow()))
    for (const each of later) await each.until(event(1))
    expect(runs).toHaveLength(2)
    say(event(2))
    end()
    for (const each of [first, other, ...later]) {
      expect(await each.ended).toBe(true)
      expect(each.text).toBe(events(1, 2))
    }
    for (const { get } of servers) expect((await get()).headers['cache-status']).toMatch('herdlock; hit')
    expect(runs).toHaveLength(2)
  })

  test('who leads a run with a Last-Event-ID gets it from the first event on, as do others: the handler sees no such field', async () => {
    const { servers, runs, say } = await serveStream({ door })
    say(events(1, 2))
    const leader = await servers[0].follow({ 'Last-Event-ID': '1' })
    await leader.until(events(1, 2))
    const other = await servers[1].follow()
    await other.until(events(1, 2))
    expect(runs.map(({ seen }) => seen['last-event-id'])).toEqual([undefined])
  })
})

describe('which event streams are shared', () => {
  const shared = async (setup: Setup) => {
    const { servers, runs, say, end } = await serveStream({ options: {}, processes: 1, withRedis: false, ...setup })
    say(event(1))
    const [first, second] = [await servers[0].follow(), await servers[0].follow()]
    for (const each of [first, second]) await each.until(event(1))
    end()
    for (const each of [first, second]) expect(await each.ended).toBe(true)
    return runs.length === 1
  }
  const withControl = (field: string, value: string) => ({
    fields: { 'Content-Type': 'text/event-stream', [field]: value },
  })

  test.each([
    ['max-age', withControl('Cache-Control', 'public, max-age=60'), false],
    ['s-maxage', withControl('Cache-Control', 's-maxage=60'), true],
    ['the field for this cache', withControl('SingleFlight-Cache-Control', 'max-age=60'), true],
    [
      'max-age and the option',
      { ...withControl('Cache-Control', 'max-age=60'), options: { shareEventStreams: true } },
      true,
    ],
    ['ttl and the option', { ...withControl('X', 'y'), options: { shareEventStreams: true, ttl: 60_000 } }, true],
    ['ttl alone', { ...withControl('X', 'y'), options: { ttl: 60_000 } }, false],
    [
      'private and the option',
      { ...withControl('Cache-Control', 'private'), options: { shareEventStreams: true } },
      false,
    ],
    [
      'no-store and the option',
      { ...withControl('Cache-Control', 'no-store'), options: { shareEventStreams: true } },
      false,
    ],
  ])('%s: %o %s', async (_name, setup, expected) => {
    expect(await shared(setup)).toBe(expected)
  })

  test('without the option a handler sees Last-Event-ID, and nobody shares what it makes of that', async () => {
    const { servers, runs, say } = await serveStream({ options: {}, ...withControl('Cache-Control', 's-maxage=60') })
    say(event(1))
    const clients = await Promise.all([1, 2].map(() => servers[0].follow({ 'Last-Event-ID': '0' })))
    for (const each of clients) await each.until(event(1))
    expect(runs.map(({ seen }) => seen['last-event-id'])).toEqual(['0', '0'])
    const whole = await servers[0].follow() // they have marked nothing
    const other = await servers[1].follow()
    for (const each of [whole, other]) await each.until(event(1))
    expect(runs).toHaveLength(3)
  })
})

describe('over processes', () => {
  test('any answer that is written piece by piece is followed so, with its own status and fields', async () => {
    for (const door of ['node', 'fetch'] as const) {
      const fields = { 'Content-Type': 'text/plain', 'Cache-Control': 'max-age=60', Vary: 'X-Language', 'X-Own': 'yes' }
      const { servers, runs, say, end } = await serveStream({ door, fields, options: {} })
      const [one, two] = servers
      say('a')
      const first = await one.follow()
      await first.until('a')
      const other = await two.follow()
      await other.until('a')
      expect(other.response.headers).toMatchObject({ 'x-own': 'yes', 'content-type': 'text/plain', vary: 'X-Language' })
      say('b')
      await other.until('ab')
      end()
      expect(await other.ended).toBe(true)
      await expect.poll(async () => (await two.get()).headers['cache-status']).toMatch('hit')
      expect(runs).toHaveLength(1)
    }
  })

  test('a request for another variant waits for its own run', async () => {
    const fields = { ...SSE, Vary: 'X-Language' }
    const { servers, runs, say, end } = await serveStream({ fields })
    say(event(1))
    const first = await servers[0].follow({ 'X-Language': 'de' })
    await first.until(event(1))
    const same = await servers[1].follow({ 'X-Language': 'de' })
    await same.until(event(1))
    const other = servers[1].get({ 'X-Language': 'en' })
    end()
    expect((await other).body).toBe(event(1))
    expect(runs.map(({ seen }) => seen['x-language'])).toEqual(['de', 'en'])
  })

  test('what is too large to be kept goes on for those who have begun, and nobody joins any more', async () => {
    const { servers, runs, say, end } = await serveStream({ options: { shareEventStreams: true, maxBodyBytes: 100 } })
    const [one, two] = servers
    say(event(1))
    const [first, other] = [await one.follow(), await two.follow()]
    for (const each of [first, other]) await each.until(event(1))
    const long = `data: ${'x'.repeat(200)}\n\n`
    say(long)
    for (const each of [first, other]) await each.until(event(1) + long)
    say(event(2))
    for (const each of [first, other]) await each.until(event(1) + long + event(2))
    first.leave()
    say(event(3))
    await other.until(event(1) + long + event(2) + event(3))
    expect(runs).toHaveLength(1)
    const late = await two.follow()
    await late.until(event(1) + long + event(2) + event(3))
    expect(runs).toHaveLength(2)
    end()
    expect(await other.ended).toBe(true)
    expect(other.text).toBe(event(1) + long + event(2) + event(3))
  })

  test('when nobody reads any more what is too large to be kept, its handler is told', async () => {
    const { servers, runs, say } = await serveStream({ options: { shareEventStreams: true, maxBodyBytes: 100 } })
    const [one, two] = servers
    const long = `data: ${'x'.repeat(200)}\n\n`
    say(event(1))
    const [first, other] = [await one.follow(), await two.follow()]
    await other.until(event(1))
    say(long)
    await other.until(event(1) + long)
    first.leave()
    say(event(2))
    await other.until(event(1) + long + event(2))
    expect(runs[0]?.closed).toBe(false)
    other.leave()
    await expect.poll(() => runs[0]?.closed).toBe(true)
  })

  test('after an invalidation who has begun reads to the end, and who comes begins anew', async () => {
    const { servers, runs, say, end } = await serveStream()
    const [one, two] = servers
    say(event(1))
    const [first, other] = [await one.follow(), await two.follow()]
    for (const each of [first, other]) await each.until(event(1))
    await two.cache.clear()
    const late = await two.follow()
    await late.until(event(1))
    expect(runs).toHaveLength(2)
    say(event(2))
    end()
    for (const each of [first, other, late]) {
      expect(await each.ended).toBe(true)
      expect(each.text).toBe(events(1, 2))
    }
  })

  test('a follower who leaves costs nothing; the next one reads from the first event on', async () => {
    const { servers, runs, say, end } = await serveStream()
    const [one, two] = servers
    say(event(1))
    const first = await one.follow()
    await first.until(event(1))
    for (const n of [2, 3]) {
      const other = await two.follow()
      await other.until(events(1, n - 1))
      other.leave()
      say(event(n))
      await first.until(events(1, n))
    }
    const last = await two.follow()
    end()
    expect(await last.ended).toBe(true)
    expect(last.text).toBe(events(1, 3))
    expect(runs).toHaveLength(1)
  })

  test('an event stream may take longer than a load, and those who read it wait longer than for one', async () => {
    const { servers, runs, say, end } = await serveStream({ cacheOptions: { loadTimeout: 300, waitTimeout: 300 } })
    const [one, two] = servers
    say(event(1))
    const readers = [await one.follow(), await two.follow()]
    for (const each of readers) await each.until(event(1))
    await delay(1000)
    say(event(2))
    const late = await Promise.all([one, two].map((each) => each.follow()))
    for (const each of late) await each.until(events(1, 2))
    end()
    for (const each of [...readers, ...late]) expect([await each.ended, each.text]).toEqual([true, events(1, 2)])
    for (const { get } of servers) await expect.poll(async () => (await get()).headers['cache-status']).toMatch('hit')
    expect(runs).toHaveLength(1)
  })

  test('beyond maxStreamDuration it goes on for those who read it, and nobody joins', async () => {
    const options = { shareEventStreams: true, maxStreamDuration: 500 }
    const { servers, runs, say, end } = await serveStream({ options })
    const [one, two] = servers
    say(event(1))
    const readers = [await one.follow(), await two.follow()]
    for (const each of readers) await each.until(event(1))
    await delay(1000)
    say(event(2))
    for (const each of readers) await each.until(events(1, 2))
    const late = await two.follow()
    await late.until(events(1, 2))
    expect(runs).toHaveLength(2)
    end()
    for (const each of readers) expect([await each.ended, each.text]).toEqual([true, events(1, 2)])
  })

  test('a page that is whole at once is not published: those who wait need one command to ask, and none to follow', async () => {
    const { servers, runs, say, end, prefix } = await serveStream({
      options: {},
      fields: { 'Cache-Control': 'max-age=60' },
    })
    say('page')
    end()
    const answers = await Promise.all(servers.flatMap(({ get }) => [get(), get()]))
    expect(answers.map(({ body }) => body)).toEqual(answers.map(() => 'page'))
    expect(runs).toHaveLength(1)
    const redis = new Redis(sharedRedis().url)
    onTestFinished(() => redis.disconnect())
    expect((await redis.keys(`${prefix}:stream:*`)).filter((key) => !key.endsWith(':readers'))).toEqual([])
  })
})
