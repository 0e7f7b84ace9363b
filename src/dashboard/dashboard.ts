import type { IncomingMessage, ServerResponse } from 'node:http'
import { insideOf } from '../cache/watch/inside.ts'
import { systemClock } from '../clock.ts'
import { systemRandom, type Random } from '../random.ts'
import { hasToken, isForeignRead, whyForged, whyNotLocal } from './access.ts'
import { CacheWatch } from './cache-watch.ts'
import { joinWith, type Doors, type FleetMember } from './fleet/join-fleet.ts'
import { History } from './fleet/history.ts'
import { Lookout } from './fleet/lookout.ts'
import { PROCESS } from './fleet/teller.ts'
import { answer, answerJson, answerText, setSafeHeaders } from './headers.ts'
import { jsonBody } from './json-body.ts'
import { resolveDashboard, type DashboardOptions, type ResolvedDashboard } from './options.ts'
import { pageFiles, withNonce, type PageFile } from './page-files.ts'
import { messageOf, type Greeting, type Update } from './report.ts'
import { Viewers } from './viewers.ts'

type Next = (error?: unknown) => void

/** Handles the requests of the page, in Express, Connect, and bare `node:http`; others go on to `next`. */
export interface Dashboard {
  (request: IncomingMessage, response: ServerResponse, next?: Next): void
  /** Ends the connections of all who look, which would keep a server from closing; nor do other processes see this one any more. */
  close(): void
}

/** A page that shows caches at work, live. Throws when an option cannot be honoured. */
export function dashboard(options: DashboardOptions): Dashboard {
  return createDashboard(resolveDashboard(options), { clock: systemClock, random: systemRandom })
}

/** For tests, which own time and chance. */
export function createDashboard(options: ResolvedDashboard, parts: Doors): Dashboard {
  const page = new DashboardPage(options, parts)
  return Object.assign(page.handle, { close: page.close })
}

const MOST_VIEWERS = 50
/** What the page asks for besides its files. */
const PATHS = ['/events', '/history', '/key', '/invalidate']

/** One cache of the page: here, and in other processes. */
interface Watched {
  readonly watch: CacheWatch
  readonly lookout: Lookout | undefined
  readonly history: History | undefined
}

class DashboardPage {
  readonly #options: ResolvedDashboard
  readonly #random: Random
  readonly #token: string
  readonly #watches: ReadonlyMap<string, Watched>
  readonly #member: FleetMember
  readonly #process: string
  readonly #viewers: Viewers

  constructor(options: ResolvedDashboard, doors: Doors) {
    const { clock, random, process = PROCESS } = doors
    this.#options = options
    this.#process = process
    this.#random = random
    this.#token = random.token()
    this.#watches = new Map(
      Array.from(options.caches, ([name, cache]) => {
        const { fleet: line, path = '' } = options.fleet ? insideOf(cache) : {}
        const lookout = line && new Lookout(line, path, options.refresh, clock)
        const history = options.history ? line && new History(line, path, clock) : undefined
        return [name, { watch: new CacheWatch(cache, clock), lookout, history }]
      }),
    )
    this.#member = joinWith(options.fleet ? [...options.caches.values()] : [], { ...doors, history: options.history })
    this.#viewers = new Viewers(clock, options.refresh, {
      onWatched: (isWatched) => {
        for (const { watch, lookout } of this.#watches.values()) {
          if (isWatched) watch.start()
          else watch.stop()
          if (isWatched) lookout?.start()
          else lookout?.stop()
        }
      },
      update: () => {
        const caches = Array.from(this.#watches.values(), ({ watch, lookout }) => {
          return { ...watch.update(), fleet: lookout?.update() }
        })
        return JSON.stringify({ at: clock.wallNow(), caches } satisfies Update)
      },
    })
  }

  readonly handle = (request: IncomingMessage, response: ServerResponse, next?: Next): void => {
    const path = pathWithin(request, this.#options.path)
    if (path === undefined || !(pageFiles.has(path) || PATHS.includes(path))) return pass(response, next)
    const fail = (error: unknown): void => {
      if (response.headersSent) response.destroy()
      else if (next !== undefined) next(error)
      else answerText(response, 500, 'something failed.')
    }
    this.#serve(path, request, response).catch(fail)
  }

  readonly close = (): void => {
    this.#viewers.close()
    this.#member.close()
  }

  async #serve(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const nonce = this.#random.token()
    setSafeHeaders(response, nonce)
    const refusal = await this.#whyRefused(request)
    if (refusal !== undefined) return answerText(response, 403, refusal)
    const { method } = request
    const isChange = path === '/invalidate'
    if (isChange ? method !== 'POST' : method !== 'GET' && method !== 'HEAD') {
      response.setHeader('Allow', isChange ? 'POST' : 'GET, HEAD')
      return answerText(response, 405, `${method} is not allowed.`)
    }
    const file = pageFiles.get(path)
    if (file !== undefined) return this.#serveFile(path, file, nonce, request, response)
    if (path === '/events') return this.#serveEvents(request, response)
    if (path === '/history') return this.#serveHistory(request, response)
    return isChange ? this.#invalidate(request, response) : this.#examine(request, response)
  }

  async #whyRefused(request: IncomingMessage): Promise<string | undefined> {
    const { authorize } = this.#options
    if (authorize === undefined) {
      const reason = whyNotLocal(request)
      if (reason !== undefined) {
        return `${reason}. Without an authorize function in its options it serves only browsers on its own machine.`
      }
    } else if ((await authorize(request)) !== true) {
      return 'not authorized.'
    }
    return isForeignRead(request) ? 'another site asked for it.' : undefined
  }

  #serveFile(path: string, file: PageFile, nonce: string, request: IncomingMessage, response: ServerResponse): void {
    const name = path === '/' ? nameWithoutSlash(request) : undefined
    if (name !== undefined) {
      // What the page asks for is beside it, so that its own path must end in a slash.
      response.setHeader('Location', `${name}/`)
      return answerText(response, 308, 'it is at the same path with a slash at its end.')
    }
    answer(response, 200, file.type, path === '/' ? withNonce(file.content, nonce) : file.content)
  }

  #serveEvents(request: IncomingMessage, response: ServerResponse): void {
    if (request.method === 'HEAD') return answerText(response, 200, 'events')
    if (this.#viewers.size >= MOST_VIEWERS) {
      response.setHeader('Retry-After', '30')
      return answerText(response, 503, 'too many look at it already.')
    }
    response.setHeader('Content-Type', 'text/event-stream; charset=utf-8')
    response.setHeader('Cache-Control', 'no-store, no-transform') // compression would hold back what is to be seen now
    response.setHeader('X-Accel-Buffering', 'no')
    response.statusCode = 200
    response.flushHeaders()
    this.#viewers.add(response, () => JSON.stringify(this.#greeting()))
  }

  #greeting(): Greeting {
    const { refresh, allowInvalidate } = this.#options
    return {
      process: this.#process,
      refresh,
      allowInvalidate,
      history: this.#options.history,
      token: this.#token,
      caches: Array.from(this.#watches, ([name, { watch, lookout }]) => {
        return { name, id: lookout?.id ?? '', ...watch.past, fleet: lookout?.past ?? [] }
      }),
    }
  }

  /** Of one process by its id, or of all. */
  async #serveHistory(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const query = new URL(request.url ?? '', 'http://localhost').searchParams
    const history = this.#watches.get(query.get('cache') ?? '')?.history
    if (history === undefined) return answerJson(response, 404, { error: 'There is no history.' })
    try {
      answerJson(response, 200, { samples: await history.read(query.get('process') || undefined) })
    } catch (error) {
      answerJson(response, 502, { error: messageOf(error) })
    }
  }

  async #examine(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const query = new URL(request.url ?? '', 'http://localhost').searchParams
    const cache = this.#options.caches.get(query.get('cache') ?? '')
    if (cache === undefined) return answerJson(response, 404, { error: 'There is no such cache.' })
    try {
      const { redisError, ...inspection } = await cache.examine(query.get('key') ?? '')
      answerJson(response, 200, {
        ...inspection,
        redisError: redisError === undefined ? undefined : messageOf(redisError),
      })
    } catch (error) {
      answerJson(response, 400, { error: messageOf(error) })
    }
  }

  async #invalidate(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#options.allowInvalidate) return answerJson(response, 403, { error: 'This page only reads.' })
    const forged = whyForged(request)
    if (forged !== undefined) return answerJson(response, 403, { error: `Refused: ${forged}.` })
    // Behind a load balancer the page may be another process's: it may try again with the token of this one.
    if (!hasToken(request, this.#token)) {
      return answerJson(response, 409, { error: 'The token is not that of this process.', token: this.#token })
    }
    const { cache: name, key, tag } = (await jsonBody(request)) ?? {}
    const cache = this.#options.caches.get(String(name))
    if (cache === undefined) return answerJson(response, 404, { error: 'There is no such cache.' })
    try {
      await (tag === undefined ? cache.invalidate(key as string) : cache.invalidateTags(tag as string))
      answerJson(response, 200, { done: true })
    } catch (error) {
      const isOurs = error instanceof TypeError || error instanceof RangeError
      answerJson(response, isOurs ? 400 : 502, { error: messageOf(error) })
    }
  }
}

/** The path of a request below that of the page, `/` for the page itself; `undefined` of one that lies elsewhere. */
function pathWithin(request: IncomingMessage, mount: string | undefined): string | undefined {
  const path = (request.url ?? '').replace(/[?#].*$/, '')
  if (mount === undefined || path === mount) return mount === undefined ? path : '/'
  return path.startsWith(`${mount}/`) ? path.slice(mount.length) : undefined
}

/** The last part of the path under which the browser knows the page, if no slash follows it. */
function nameWithoutSlash(request: IncomingMessage & { originalUrl?: string }): string | undefined {
  const path = (request.originalUrl ?? request.url ?? '').replace(/[?#].*$/, '')
  return path.endsWith('/') ? undefined : path.slice(path.lastIndexOf('/') + 1)
}

function pass(response: ServerResponse, next: Next | undefined): void {
  if (next !== undefined) return next()
  answerText(response, 404, 'there is nothing here.')
}
