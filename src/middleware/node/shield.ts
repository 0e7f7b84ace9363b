import { type IncomingMessage, ServerResponse } from 'node:http'

import type { Connection } from './connection.ts'
import { watchSocket } from './socket-watch.ts'
import { StandInSocket } from './stand-in-socket.ts'

/** Events by which Node tells a handler that its client has left. */
const LEAVING = new Set(['aborted', 'error', 'close'])

type Emit = (event: string | symbol, ...args: unknown[]) => boolean

/** Node's own flag for "close was emitted"; without clearing it the response would never close again. */
interface Closable {
  destroyed: boolean
  _closed: boolean
}

/**
 * Keeps a handler at work when its client leaves. The events that would tell the handler are held back, and its response
 * gets a connection that takes everything. HTTP/1 only: an HTTP/2 response has no connection of its own to replace.
 */
export class Shield {
  readonly #req: IncomingMessage
  readonly #res: ServerResponse
  readonly #connection: Connection
  readonly #onCut: () => void
  readonly #socket: IncomingMessage['socket']
  readonly #endWatch: () => void
  readonly #reqEmit: Emit
  readonly #resEmit: Emit
  readonly #ownReqEmit: Emit
  readonly #ownResEmit: Emit
  #up = true
  #cut = false
  #standIn: StandInSocket | undefined

  static isPossible(res: ServerResponse): boolean {
    return res instanceof ServerResponse && res.req.socket !== null
  }

  constructor(req: IncomingMessage, res: ServerResponse, connection: Connection, onCut: () => void) {
    this.#req = req
    this.#res = res
    this.#connection = connection
    this.#onCut = onCut
    this.#socket = req.socket
    this.#endWatch = watchSocket(req.socket, () => this.#noteCut())
    this.#reqEmit = req.emit
    this.#resEmit = res.emit
    this.#ownReqEmit = (event, ...args) =>
      this.#up && this.#isAboutLeaving(event) ? false : this.#reqEmit.call(req, event, ...args)
    this.#ownResEmit = (event, ...args) => {
      if (this.#up && event === 'close' && !this.#cut && !res.writableFinished && this.#standIn === undefined) {
        this.#putStandIn()
        return false
      }
      return this.#resEmit.call(res, event, ...args)
    }
    req.emit = this.#ownReqEmit
    res.emit = this.#ownResEmit
  }

  /** Whether the client has left. */
  get clientLeft(): boolean {
    return this.#standIn !== undefined
  }

  /** Ends the protection. A handler whose answer nobody needs any more now learns that its client has left. */
  lower(): void {
    if (!this.#up) return
    this.#up = false
    this.#endWatch()
    if (this.#req.emit === this.#ownReqEmit) this.#req.emit = this.#reqEmit
    if (this.#res.emit === this.#ownResEmit) this.#res.emit = this.#resEmit
    if (this.#standIn !== undefined && !this.#res.writableEnded) this.#standIn.destroy()
  }

  #isAboutLeaving(event: string | symbol): boolean {
    return this.#socket.destroyed && !this.#cut && LEAVING.has(String(event))
  }

  #noteCut(): void {
    this.#cut = true
    this.#onCut()
  }

  #putStandIn(): void {
    const res = this.#res
    const standIn = new StandInSocket(this.#connection)
    this.#standIn = standIn
    const closable = res as unknown as Closable
    closable.destroyed = false
    closable._closed = false
    this.#req.socket = standIn as unknown as IncomingMessage['socket']
    // oxlint-disable-next-line typescript/no-deprecated -- handlers still look at it
    this.#req.aborted = false
    standIn.once('close', () => {
      if (this.#up && !res.writableEnded) this.#noteCut()
    })
    res.once('finish', () => process.nextTick(() => standIn.destroy()))
    res.assignSocket(standIn as unknown as IncomingMessage['socket'])
    // A handler that waited for its client to take more may go on.
    process.nextTick(() => res.emit('drain'))
  }
}
