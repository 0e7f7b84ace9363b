import { type IncomingMessage, ServerResponse } from 'node:http'

import type { Connection } from './connection.ts'
import type { Recording } from './recording.ts'
import { Shield } from './shield.ts'
import { takeOver } from './stand-in.ts'
import type { StandInSocket } from './stand-in-socket.ts'

type Emit = (event: string | symbol, ...args: unknown[]) => boolean

/** Keeps the handler at work on `res` when its client leaves. Undefined for a response of an unknown kind. */
export function shieldFor(
  req: IncomingMessage,
  res: ServerResponse,
  recording: Recording,
  connection: Connection,
  onCut: () => void,
): Shield | StreamShield | undefined {
  if (Shield.isPossible(res)) return new Shield(req, res, connection, onCut)
  return StreamShield.isPossible(res) ? new StreamShield(req, res, recording, connection) : undefined
}

/** Events by which Node tells a handler that its stream has gone. A response also emits `finish`, ended or not. */
const LEAVING = new Set<string | symbol>(['aborted', 'error', 'close', 'finish'])

/**
 * Does for HTTP/2 what `Shield` does for HTTP/1: keeps a handler at work when its client leaves. An HTTP/2 response is tied
 * to its stream. When that goes, the response gets the members of one without a stream.
 */
class StreamShield {
  readonly #req: IncomingMessage
  readonly #res: ServerResponse
  readonly #recording: Recording
  readonly #connection: Connection
  readonly #reqEmit: Emit
  readonly #resEmit: Emit
  readonly #ownReqEmit: Emit
  readonly #ownResEmit: Emit
  #up = true
  /** What the handler writes to since its stream has gone. */
  #standIn: StandInSocket | undefined
  /** Set while the stream emits its end, which is not the end of the response. */
  #streamCloses = false

  static isPossible(res: ServerResponse): boolean {
    return !(res instanceof ServerResponse) && (res as { stream?: unknown }).stream !== undefined
  }

  constructor(req: IncomingMessage, res: ServerResponse, recording: Recording, connection: Connection) {
    this.#req = req
    this.#res = res
    this.#recording = recording
    this.#connection = connection
    this.#reqEmit = req.emit
    this.#resEmit = res.emit
    this.#ownReqEmit = (event, ...args) =>
      this.#up && LEAVING.has(event) && !recording.ended ? false : this.#reqEmit.call(req, event, ...args)
    this.#ownResEmit = (event, ...args) => {
      if (this.#up && !recording.ended && LEAVING.has(event)) {
        if (this.#standIn === undefined) this.#leaveStream()
        if (this.#streamCloses) return false
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
    if (this.#req.emit === this.#ownReqEmit) this.#req.emit = this.#reqEmit
    if (this.#res.emit === this.#ownResEmit) this.#res.emit = this.#resEmit
    if (this.#standIn !== undefined && !this.#res.writableEnded) this.#standIn.destroy()
  }

  #leaveStream(): void {
    this.#standIn = takeOver(this.#req, this.#res, this.#recording.headSent, this.#connection)
    this.#recording.reseat()
    this.#streamCloses = true
    // When this turn is over, the stream has emitted its end. A handler that waited for it to take more may go on.
    process.nextTick(() => {
      this.#streamCloses = false
      this.#res.emit('drain')
    })
  }
}
