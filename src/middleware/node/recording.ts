import { ServerResponse, STATUS_CODES } from 'node:http'

import type { FieldBlock, FlatFields } from '../rules/fields.ts'
import type { Outlet } from '../answer/replay.ts'

/** The header of a response as the handler gave it, before outer layers such as compression changed it. */
export interface ResponseHead {
  readonly status: number
  readonly message: string
  readonly fields: FlatFields
}

/** Who listens to a handler's answer. */
export interface RecordingObserver {
  /**
   * Called once, when the header is final. `send`: let the client have it. `hold`: keep it and what follows back, until
   * `sendHeld` or `answerInstead`.
   */
  onHead(head: ResponseHead): 'send' | 'hold'
  /** Called with `send` once the header has gone through the layers outside ours, as it is then. */
  onHeadSent?(head: ResponseHead): void
  /** Called with each piece of the body, copied. Returns whether the handler may write on without waiting. */
  onChunk(chunk: Buffer): boolean
  onEnd(): void
  /** The handler destroyed the response. */
  onCut(): void
}

type Callback = (error?: Error | null) => void
type AnyFunction = (...args: unknown[]) => unknown
const PATCHED = ['writeHead', 'write', 'end', 'flushHeaders', 'destroy'] as const
type Patched = (typeof PATCHED)[number]

/**
 * Listens to a handler's answer at the response itself: replaces its functions by own ones, which pass on to those that
 * were there. So it works with every framework and below or above other layers that do the same.
 */
export class Recording {
  readonly res: ServerResponse
  readonly #observer: RecordingObserver
  readonly #base: Record<Patched, AnyFunction>
  readonly #hadOwn: Record<Patched, boolean>
  readonly #own: Record<Patched, AnyFunction>
  /** `before` the header, then `sending` or `holding`; `answered` otherwise, so that what comes goes nowhere; `off`. */
  #state: 'before' | 'sending' | 'holding' | 'answered' | 'off' = 'before'
  #headSeen = false
  #ended = false
  /** Set while a function below ours runs: what it calls of ours was recorded already. */
  #inBase = false
  #held: Buffer[] = []

  constructor(res: ServerResponse, observer: RecordingObserver) {
    this.res = res
    this.#observer = observer
    const target = res as unknown as Record<Patched, AnyFunction>
    // oxlint-disable-next-line typescript/no-this-alias -- the functions below need two of them
    const recording = this
    this.#own = {
      writeHead(...args) {
        return recording.#writeHead(args)
      },
      write(...args) {
        return recording.#write(args)
      },
      end(...args) {
        return recording.#end(args)
      },
      flushHeaders() {
        return recording.#flushHeaders()
      },
      destroy(...args) {
        return recording.#destroy(args)
      },
    }
    this.#base = {} as Record<Patched, AnyFunction>
    this.#hadOwn = {} as Record<Patched, boolean>
    for (const name of PATCHED) {
      this.#base[name] = target[name]
      this.#hadOwn[name] = Object.hasOwn(res, name)
      target[name] = this.#own[name]
    }
  }

  get headSeen(): boolean {
    return this.#headSeen
  }

  /** Whether the header is out of our hands. */
  get headSent(): boolean {
    return this.#state !== 'before' && this.#state !== 'holding'
  }

  get isHolding(): boolean {
    return this.#state === 'holding'
  }

  /** Whether layers outside ours have a say in the header. */
  get hasOuterLayers(): boolean {
    return this.#hadOwn.writeHead
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Stops listening; what was held back goes out, what follows takes the way it would take without us. */
  stop(): void {
    if (this.#state === 'holding' && this.#headSeen) this.sendHeld()
    if (this.#state === 'answered') return
    this.#state = 'off'
    const target = this.res as unknown as Record<Patched, AnyFunction>
    for (const name of PATCHED) {
      // Layers below in the chain of handlers may have patched ours in turn: then ours stays, and only passes on.
      if (target[name] !== this.#own[name]) continue
      if (this.#hadOwn[name]) target[name] = this.#base[name]
      else delete (target as Partial<Record<Patched, AnyFunction>>)[name]
    }
    if (Object.hasOwn(this.res, 'headersSent')) delete (this.res as { headersSent?: boolean }).headersSent
  }

  /** The functions below ours are other ones now: those of a response without a client. */
  reseat(): void {
    for (const name of PATCHED) this.#base[name] = ServerResponse.prototype[name] as AnyFunction
  }

  /** Keeps back what has not even begun. */
  hold(): void {
    if (this.#state === 'before') this.#state = 'holding'
  }

  /** Lets the client have what was held back, and all that follows. */
  sendHeld(): void {
    if (this.#state !== 'holding') return
    this.#state = 'sending'
    delete (this.res as { headersSent?: boolean }).headersSent
    this.#callBase('writeHead', this.res.statusCode)
    for (const chunk of this.#held) this.#callBase('write', chunk)
    this.#held = []
    if (this.#ended) this.#callBase('end')
  }

  /** Gives the client another answer than the handler's. `fields` of the handler are gone; `baseline` is put back. */
  answerInstead(baseline: ReadonlyArray<readonly [string, string | string[]]>, answer: (outlet: Outlet) => void): void {
    if (this.#state !== 'holding') return
    this.#state = 'answered'
    this.#held = []
    delete (this.res as { headersSent?: boolean }).headersSent
    for (const name of this.res.getHeaderNames()) this.res.removeHeader(name)
    for (const [name, value] of baseline) this.res.setHeader(name, value)
    answer({
      // HTTP/2 has no reason phrases, and Node warns of those who give one.
      writeHead: ({ req }, status, message, fields) =>
        this.#callBase('writeHead', status, ...(req.httpVersionMajor < 2 ? [message, fields] : [fields])),
      end: (_res, body) => (body === undefined ? this.#callBase('end') : this.#callBase('end', body)),
    })
  }

  #callBase(name: Patched, ...args: unknown[]): unknown {
    const before = this.#inBase
    this.#inBase = true
    try {
      return this.#base[name].apply(this.res, args)
    } finally {
      this.#inBase = before
    }
  }

  #writeHead(args: unknown[]): unknown {
    if (this.#headSeen && !this.#inBase && (this.#state === 'holding' || this.#state === 'answered')) {
      const error: Error & { code?: string } = new Error('Cannot write headers after they are sent to the client')
      error.code = 'ERR_HTTP_HEADERS_SENT'
      throw error
    }
    if (this.#state !== 'before' || this.#inBase) return this.#base.writeHead.apply(this.res, args)
    const status = Number(args[0])
    // Node refuses such a status, and says so better.
    if (!(status >= 100 && status <= 999)) return this.#base.writeHead.apply(this.res, args)
    applyHead(this.res, args)
    this.#headSeen = true
    const decision = this.#observer.onHead(readHead(this.res))
    // Asked anew: the observer may have stopped the recording.
    if (this.#state === 'before') this.#state = decision === 'hold' ? 'holding' : 'sending'
    if (this.#state === 'holding') {
      Object.defineProperty(this.res, 'headersSent', { configurable: true, get: () => true })
      return this.res
    }
    const sent = this.#callBase('writeHead', this.res.statusCode)
    if (this.#state === 'sending') this.#observer.onHeadSent?.(readHead(this.res))
    return sent
  }

  #write(args: unknown[]): unknown {
    if (this.#state === 'off' || this.#inBase) return this.#base.write.apply(this.res, args)
    const callback = args.find((argument) => typeof argument === 'function') as Callback | undefined
    const chunk = bytesOf(args[0], args[1])
    if (chunk === undefined || this.#ended) {
      if (this.#state !== 'answered') return this.#callBase('write', ...args)
      if (callback) process.nextTick(callback)
      return true
    }
    if (this.#state === 'before') this.res.writeHead(this.res.statusCode)
    if (this.#currentState() === 'off') return this.#callBase('write', ...args)
    const mayGoOn = !hasBody(this.res) || this.#state === 'answered' || this.#observer.onChunk(chunk)
    if (this.#currentState() === 'sending' || this.#currentState() === 'off') {
      const taken = this.#callBase('write', chunk, callback)
      return mayGoOn ? true : taken
    }
    if (this.#state === 'holding' && hasBody(this.res)) this.#held.push(chunk)
    if (callback) process.nextTick(callback)
    return true
  }

  #end(args: unknown[]): unknown {
    if (this.#state === 'off' || this.#inBase) return this.#base.end.apply(this.res, args)
    const callback = args.find((argument) => typeof argument === 'function') as Callback | undefined
    const first = typeof args[0] === 'function' ? undefined : args[0]
    const chunk = first === undefined || first === null ? undefined : bytesOf(first, args[1])
    if (this.#ended || (chunk === undefined && first !== undefined && first !== null)) {
      if (this.#state !== 'answered' && this.#state !== 'holding') return this.#callBase('end', ...args)
      if (callback) process.nextTick(callback)
      return this.res
    }
    if (this.#state === 'before') {
      announceLength(this.res, chunk?.length ?? 0)
      this.res.writeHead(this.res.statusCode)
    }
    if (this.#currentState() === 'off') return this.#callBase('end', ...args)
    if (chunk !== undefined && chunk.length > 0 && this.#state !== 'answered' && hasBody(this.res)) {
      this.#observer.onChunk(chunk)
      if (this.#currentState() === 'holding') this.#held.push(chunk)
    }
    if (this.#currentState() === 'answered') {
      this.#ended = true
      if (callback) process.nextTick(callback)
      return this.res
    }
    if (this.#currentState() === 'holding') {
      this.#ended = true
      if (callback) this.res.once('finish', callback)
      this.#observer.onEnd()
      return this.res
    }
    this.#ended = true
    if (chunk === undefined) this.#callBase('end', callback)
    else this.#callBase('end', chunk, callback)
    if (this.#currentState() !== 'off') this.#observer.onEnd()
    return this.res
  }

  #flushHeaders(): unknown {
    if (this.#state === 'before' && !this.#inBase) this.res.writeHead(this.res.statusCode)
    if (this.#currentState() === 'holding' || this.#currentState() === 'answered') return undefined
    return this.#callBase('flushHeaders')
  }

  #destroy(args: unknown[]): unknown {
    if (this.#state !== 'off' && this.#state !== 'answered' && !this.#ended) this.#observer.onCut()
    return this.#base.destroy.apply(this.res, args)
  }

  /** Read through a function where a call in between may have changed it. */
  #currentState(): 'before' | 'sending' | 'holding' | 'answered' | 'off' {
    return this.#state
  }
}

/** Puts the arguments of `writeHead`, in all its signatures, where they can be read: on the response. */
function applyHead(res: ServerResponse, args: unknown[]): void {
  res.statusCode = Number(args[0])
  if (typeof args[1] === 'string') res.statusMessage = args[1]
  const fields = typeof args[1] === 'string' ? args[2] : (args[2] ?? args[1])
  if (fields === undefined || fields === null) return
  const given: FieldBlock = []
  if (!Array.isArray(fields)) {
    for (const [name, value] of Object.entries(fields)) given.push(name, value as string | string[])
  } else if (Array.isArray(fields[0])) {
    for (const [name, value] of fields as Array<[string, string | string[]]>) given.push(name, value)
  } else {
    given.push(...(fields as string[]))
  }
  const seen = new Set<string>()
  for (let index = 0; index + 1 < given.length; index += 2) {
    const name = String(given[index])
    const value = given[index + 1] as string | string[]
    if (name === '') continue
    if (seen.has(name.toLowerCase())) res.appendHeader(name, value)
    else res.setHeader(name, value)
    seen.add(name.toLowerCase())
  }
}

export function readHead(res: ServerResponse): ResponseHead {
  const spelled = (res as { getRawHeaderNames?: () => string[] }).getRawHeaderNames
  const fields: string[] = []
  for (const name of spelled ? spelled.call(res) : res.getHeaderNames()) {
    const value = res.getHeader(name)
    if (Array.isArray(value)) for (const line of value) fields.push(name, String(line))
    else fields.push(name, String(value))
  }
  return { status: res.statusCode, message: reasonOf(res), fields }
}

function reasonOf(res: ServerResponse): string {
  // HTTP/2 has none, and Node warns of every look at it.
  const own = res.req.httpVersionMajor < 2 ? res.statusMessage : ''
  return own || STATUS_CODES[res.statusCode] || 'unknown'
}

/** What Node would state for a body that is given to `end` whole; stated early, because the header is read early. */
function announceLength(res: ServerResponse, length: number): void {
  // To a client of HTTP/1.0 Node says it by closing.
  if (!hasBody(res) || (res.req.httpVersionMajor === 1 && res.req.httpVersionMinor === 0)) return
  if (res.hasHeader('content-length') || res.hasHeader('transfer-encoding') || res.hasHeader('trailer')) return
  res.setHeader('Content-Length', length)
}

function hasBody(res: ServerResponse): boolean {
  return res.req.method !== 'HEAD' && res.statusCode !== 204 && res.statusCode !== 304
}

/** A copy, because handlers use their buffers again; undefined for what Node does not take either. */
function bytesOf(chunk: unknown, encoding: unknown): Buffer | undefined {
  if (typeof chunk === 'string') {
    return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
  }
  return chunk instanceof Uint8Array ? Buffer.from(chunk) : undefined
}
