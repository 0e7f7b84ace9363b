import { createServer, type ServerResponse } from 'node:http'

import express, { type Express, type Request, type RequestHandler, type Response } from 'express'
import express4 from 'express4'

import { Gate } from '../gate.ts'
import { listen, makeFlight, refilled } from '../serve.ts'
import { type Asked, Reader, send, type Seen } from './answers.ts'
import { Count } from './count.ts'
import type { Neighbour, Place, Style } from './neighbours.ts'

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
  readonly #responses: ServerResponse[] = []
  readonly #cookies = new Map<number, string>()
  readonly #reader: Reader
  #url = ''

  constructor(cell: Cell, ours: boolean) {
    this.cell = cell
    this.ours = ours
    this.#flight = ours ? makeFlight() : undefined
    this.#reader = new Reader((name, value) => cell.neighbour.masked?.(name, value, cell.place) ?? value)
  }

  /** Whether one run serves several clients here. */
  get shares(): boolean {
    return this.ours && (this.cell.neighbour.shares?.(this.cell.place, this.cell.style) ?? true)
  }

  async start(): Promise<void> {
    const { neighbour, place } = this.cell
    const layers = neighbour.layers?.({ place, note: (line) => this.notes.push(line) }) ?? []
    const [outer, inner] = place === 'outside' ? [layers, []] : [[], layers]
    const app = this.#app()
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
      this.#url = (await listen(createServer(this.#app().use(neighbour.hop(this.#url))))).url
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
  ask(client: number, path = '/page'): Asked {
    return send(this.#url + path, { headers: this.#headers(client) })
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

  /** Resolves when the connection of the request that arrived with this number is closed. */
  async gone(number: number): Promise<void> {
    const socket = this.#responses[number - 1]?.req.socket
    if (socket === undefined || socket.destroyed) return
    await new Promise((resolve) => socket.once('close', resolve))
  }

  /** The clock of our middleware goes forward. */
  skip(ms: number): void {
    this.#flight?.clock.skip(ms)
  }

  /** Resolves when a run in the background has been stored, if there is one. */
  async refilled(): Promise<void> {
    if (this.shares && this.#flight !== undefined) await refilled(this.#flight.cache)
  }

  #app(): Express {
    const app = FRAMEWORKS[this.cell.framework]()
    app.set('env', 'test')
    return app
  }

  readonly #arrival: RequestHandler = (req, res, next) => {
    if (req.method === 'GET') this.#responses.push(res)
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
      res.set('Cache-Control', 'public, max-age=60, stale-while-revalidate=600')
      await this.#page(res, PAGE)
    })
    app.get('/private', async (req: Request, res: Response) => {
      res.set('Cache-Control', 'private, max-age=60')
      await this.#page(res, `for ${userOf(req)}: ${PAGE}`)
    })
    return app
  }

  async #page(res: Response, body: string): Promise<void> {
    // The clock of a server behind a proxy is not the one that the test sets forward.
    if (this.cell.neighbour.hop !== undefined) res.sendDate = false
    // A field of several lines, one that others set too, and one that others have set.
    res.append('Link', ['</a>; rel=prefetch', '</b>; rel=prefetch'])
    res.vary('X-Edition')
    res.removeHeader('X-DNS-Prefetch-Control')
    res.set({ 'X-Handler': 'ran', 'Content-Type': 'text/plain; charset=utf-8' })
    if (this.cell.style === 'streamed') res.write(body.slice(0, 1000))
    this.runs.add()
    await this.gate.pass()
    if (this.cell.style === 'streamed') res.end(body.slice(1000))
    else res.send(body)
  }
}

function userOf(req: Request): string {
  const { session } = req as { session?: { user?: string } }
  return session?.user ?? String(req.headers['x-user'])
}
