import { createServer } from 'node:http'
import type { Socket } from 'node:net'

import express, { type Express, type NextFunction, type Request, type RequestHandler, type Response } from 'express'
import express4 from 'express4'

import { Gate } from '../gate.ts'
import { listen, makeFlight } from '../serve.ts'
import { type Asked, Reader, send, type Seen } from './answers.ts'
import { Count } from './count.ts'
import type { Neighbour, Place, Sharing, Style } from './neighbours.ts'

export const FRAMEWORKS = { 'Express 5': express, 'Express 4': express4 as unknown as typeof express }
export type Framework = keyof typeof FRAMEWORKS

export interface Cell {
  framework: Framework
  neighbour: Neighbour
  place: Place
  style: Style
}

/** Long enough for compression to take it up. */
const PAGE = 'The quick brown fox jumps over the lazy dog. '.repeat(50)

/** One app with one neighbour, with our middleware or without it. */
export class Site {
  readonly cell: Cell
  readonly ours: boolean
  /** Where handlers wait before they send, or between the two parts of what they send. */
  readonly gate: Gate = new Gate()
  /** Runs of the handler that have come to the gate. */
  readonly runs: Count = new Count()
  /** GET requests that have come to the place of our middleware. */
  readonly arrivals: Count = new Count()
  /** What the neighbour has noted. */
  readonly notes: string[] = []
  readonly #flight: ReturnType<typeof makeFlight> | undefined
  readonly #stored = new Count()
  /** The connections of GET requests: of those that clients made, and of those at the place of our middleware. */
  readonly #outer: Socket[] = []
  readonly #inner: Socket[] = []
  readonly #requests: Request[] = []
  readonly #cookies = new Map<number, string>()
  readonly #reader: Reader
  #url = ''

  constructor(cell: Cell, ours: boolean) {
    this.cell = cell
    this.ours = ours
    this.#flight = ours ? makeFlight() : undefined
    // When the event comes, what is stored is about to be seen.
    this.#flight?.cache.on('refilled', () => setImmediate(() => this.#stored.add()))
    this.#reader = new Reader((name, value) => cell.neighbour.masked?.(name, value, cell.place) ?? value)
  }

  /** Who shares the answer of one run. */
  get sharing(): Sharing {
    const { neighbour, place, style } = this.cell
    return this.ours ? (neighbour.sharing?.(place, style) ?? 'by all') : 'none'
  }

  async start(): Promise<void> {
    const { neighbour, place } = this.cell
    const layers = neighbour.layers?.({ place, note: (line) => this.notes.push(line) }) ?? []
    const [outer, inner] = place === 'outside' ? [layers, []] : [[], layers]
    const app = this.#app()
    if (neighbour.hop === undefined || place === 'inside') app.use(noting(this.#outer))
    for (const layer of outer) app.use(layer)
    app.use(this.#arrival)
    if (this.#flight !== undefined) app.use(this.#flight.flight as unknown as RequestHandler)
    for (const layer of inner) app.use(layer)
    if (neighbour.hop !== undefined && place === 'inside') {
      const { url } = await listen(createServer(this.#handlers(this.#app())))
      app.use(neighbour.hop(url))
    } else {
      this.#handlers(app)
    }
    this.#url = (await listen(createServer(app))).url
    if (neighbour.hop !== undefined && place === 'outside') {
      const front = this.#app().use(noting(this.#outer), neighbour.hop(this.#url))
      this.#url = (await listen(createServer(front))).url
    }
  }

  /** Sends the cookies of these clients from now on. */
  async signIn(clients: number[]): Promise<void> {
    if (this.cell.neighbour.signsIn !== true) return
    for (const client of clients) {
      const answer = await send(`${this.#url}/sign-in`, { method: 'POST', headers: this.#headers(client) }).seen
      const cookies = answer?.headers['set-cookie'] ?? []
      this.#cookies.set(client, cookies.map((line) => line.split(';')[0]).join('; '))
    }
  }

  /** What the client with this number sends. */
  ask(client: number, path = '/page', headers: Record<string, string> = {}): Asked {
    return send(this.#url + path, { headers: { ...this.#headers(client), ...headers } })
  }

  post(client: number, type: string, body: string): Asked {
    return send(`${this.#url}/echo`, {
      method: 'POST',
      headers: { ...this.#headers(client), 'Content-Type': type },
      body,
    })
  }

  async read(...asked: Asked[]): Promise<Seen[]> {
    const answers = await Promise.all(asked.map(({ seen }) => seen))
    return answers.map((answer) => this.#reader.read(answer))
  }

  /** Resolves when this many requests wait at the gate, or for one that does. */
  async waiting(requests: number): Promise<void> {
    await (this.ours ? this.arrivals : this.runs).reached(requests)
  }

  /** Resolves when the app knows that the client of the request with this number has left. */
  async gone(number: number): Promise<void> {
    await closed(this.#outer[number - 1])
    // A proxy outside that has not seen a header yet keeps its own connection.
    const { neighbour, style } = this.cell
    if (neighbour.hop === undefined || style === 'streamed') await closed(this.#inner[number - 1])
  }

  /** connect-timeout finds that the request with this number has taken too long: this is what its timer does. */
  timeOut(number: number): void {
    const request = this.#requests[number - 1]
    if (request === undefined) throw new Error(`request ${number} has not arrived`)
    request.timedout = true
    request.emit('timeout', 0)
  }

  /** The clock of our middleware goes forward. */
  skip(ms: number): void {
    this.#flight?.clock.skip(ms)
  }

  /** Resolves when the answers of this many runs have been stored, if they are to be. */
  async stored(runs: number): Promise<void> {
    if (this.sharing !== 'none') await this.#stored.reached(runs)
  }

  #app(): Express {
    const app = FRAMEWORKS[this.cell.framework]()
    app.set('env', 'test')
    return app
  }

  readonly #arrival: RequestHandler = (req, _res, next) => {
    if (req.method === 'GET') {
      this.#inner.push(req.socket)
      this.#requests.push(req)
    }
    next()
    if (req.method === 'GET') this.arrivals.add()
  }

  #headers(client: number): Record<string, string> {
    const cookie = this.#cookies.get(client)
    return {
      'X-User': `user ${client}`,
      ...this.cell.neighbour.headers?.(client),
      ...(cookie !== undefined && { Cookie: cookie }),
    }
  }

  #handlers(app: Express): Express {
    app.post('/sign-in', (req: Request, res: Response) => {
      Object.assign((req as { session?: object }).session ?? {}, { user: req.headers['x-user'] })
      res.send('welcome')
    })
    app.post('/echo', (req: Request, res: Response) => {
      res.json({ parsed: (req.body as unknown) ?? null })
    })
    app.get('/page', async (_req: Request, res: Response) => {
      await this.#page(res, 'public, max-age=60, stale-while-revalidate=600', PAGE)
    })
    app.get('/private', async (req: Request, res: Response) => {
      await this.#page(res, 'private, max-age=60', `for ${userOf(req)}: ${PAGE}`)
    })
    app.use((error: Error & { status?: number }, _req: Request, res: Response, _next: NextFunction) => {
      res.status(error.status ?? 500).send(error.message)
    })
    return app
  }

  async #page(res: Response, control: string, body: string): Promise<void> {
    const { style } = this.cell
    if (style === 'streamed') {
      this.#setFields(res, control)
      res.write(body.slice(0, 1000))
    }
    this.runs.add()
    await this.gate.pass()
    // As the manual of connect-timeout asks.
    if (res.req.timedout) return
    if (style === 'streamed') {
      res.end(body.slice(1000))
    } else {
      this.#setFields(res, control)
      res.send(body)
    }
  }

  #setFields(res: Response, control: string): void {
    const { neighbour, place } = this.cell
    // The clock of a server behind a proxy is not the one that the test sets forward.
    if (neighbour.hop !== undefined && place === 'inside') res.sendDate = false
    // A field of two lines, one that others add to, and one of helmet's that goes.
    res.append('Link', ['</a>; rel=prefetch', '</b>; rel=prefetch'])
    res.vary('X-Edition')
    res.removeHeader('X-DNS-Prefetch-Control')
    res.set({ 'Cache-Control': control, 'X-Handler': 'ran', 'Content-Type': 'text/plain; charset=utf-8' })
  }
}

/** Notes the connections of GET requests. */
function noting(sockets: Socket[]): RequestHandler {
  return ({ method, socket }, _res, next) => {
    if (method === 'GET') sockets.push(socket)
    next()
  }
}

async function closed(socket: Socket | undefined): Promise<void> {
  // The client may have left with an error.
  if (socket !== undefined && !socket.closed) await new Promise((resolve) => socket.once('close', resolve))
}

function userOf(req: Request): string {
  const { session } = req as { session?: { user?: string } }
  return session?.user ?? String(req.headers['x-user'])
}
