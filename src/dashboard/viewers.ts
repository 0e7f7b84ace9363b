import type { ServerResponse } from 'node:http'
import type { Clock, Timer } from '../clock.ts'

/** Updates that a viewer may leave unread in a row before it is dropped. */
const UNREAD = 5
/** ms after which a viewer has to come anew, and is authorized anew. Browsers do so by themselves. */
const LIFETIME = 5 * 60_000
/** ms without a word after which proxies might take a connection for dead. */
const SILENCE = 15_000

interface Viewer {
  readonly response: ServerResponse
  readonly until: number
  /** Updates that found the viewer with more to read already. */
  unread: number
}

export interface ViewersHooks {
  /** The first viewer has come, or the last has left. */
  onWatched(isWatched: boolean): void
  /** What all viewers are to be told now. */
  update(): string
}

/** All who look at the page, served by one timer, which runs only while there are some. Server-sent events (WHATWG HTML). */
export class Viewers {
  readonly #viewers = new Set<Viewer>()
  readonly #clock: Clock
  readonly #refresh: number
  readonly #hooks: ViewersHooks
  #timer: Timer | undefined
  #spokenAt = 0
  #updatedAt = 0

  constructor(clock: Clock, refresh: number, hooks: ViewersHooks) {
    this.#clock = clock
    this.#refresh = refresh
    this.#hooks = hooks
  }

  get size(): number {
    return this.#viewers.size
  }

  /** `greet` is called once what it tells of is being watched. */
  add(response: ServerResponse, greet: () => string): void {
    const viewer: Viewer = { response, until: this.#clock.now() + LIFETIME, unread: 0 }
    response.once('close', () => this.#remove(viewer))
    response.on('error', () => {}) // `close` follows
    response.write('retry: 1000\n\n')
    this.#viewers.add(viewer)
    if (this.#viewers.size === 1) this.#hooks.onWatched(true)
    response.write(message('greeting', greet()))
    if (this.#timer === undefined) this.#tellAll()
  }

  #remove(viewer: Viewer): void {
    if (!this.#viewers.delete(viewer) || this.#viewers.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
    this.#hooks.onWatched(false)
  }

  readonly #wake = (): void => {
    const now = this.#clock.now()
    if (now - this.#updatedAt >= this.#refresh) return this.#tellAll()
    if (now - this.#spokenAt >= SILENCE) this.#send(': still here\n\n')
    this.#schedule()
  }

  #tellAll(): void {
    this.#updatedAt = this.#clock.now()
    this.#send(message('update', this.#hooks.update()))
    if (this.#viewers.size > 0) this.#schedule()
  }

  #schedule(): void {
    const next = Math.min(this.#updatedAt + this.#refresh, this.#spokenAt + SILENCE)
    const delay = Math.max(next - this.#clock.now(), 1)
    this.#timer = this.#clock.setTimeout(this.#wake, delay, { keepAlive: false })
  }

  #send(text: string): void {
    this.#spokenAt = this.#clock.now()
    for (const viewer of this.#viewers) {
      const { response } = viewer
      if (response.writableNeedDrain) {
        if (++viewer.unread > UNREAD) response.destroy()
        continue // it has enough to read
      }
      viewer.unread = 0
      if (this.#spokenAt < viewer.until) response.write(text)
      else response.end()
    }
  }

  /** Sends all away. */
  close(): void {
    for (const viewer of [...this.#viewers]) {
      viewer.response.end()
      this.#remove(viewer)
    }
  }
}

function message(event: string, data: string): string {
  return `event: ${event}\ndata: ${data}\n\n`
}
