import { EventEmitter } from 'node:events'
import { ServerResponse } from 'node:http'

import { ABOUT_THE_BODY } from '../answer/reply.ts'
import type { Narrowed, SourceObserver } from '../fill/source.ts'
import { applyHead, hasBody, lengthField, readHead } from './head-of.ts'

type Callback = (error?: Error | null) => void
type AnyFunction = (...args: unknown[]) => unknown
const PATCHED = ['writeHead', 'write', 'end', 'flushHeaders', 'destroy', 'emit'] as const
/** Replaced only if an outer layer has put them there: compression does. */
const OF_LAYERS = ['flush', 'on', 'removeListener', 'off'] as const
type Patched = (typeof PATCHED)[number] | (typeof OF_LAYERS)[number]

const ON_EMITTERS: ReadonlySet<string> = new Set(['on', 'removeListener', 'off'])

/** Is told of an answer as it comes. */
export type RecordingObserver = Omit<SourceObserver, 'onError'>

/** For observers that need only the header. */
export const UNHEARD = {
  onHeadSent: (): void => {},
  onChunk: (_chunk: Buffer, taken: boolean): boolean => taken,
  onFlush: (): void => {},
  onDrain: (): void => {},
  onEnd: (): void => {},
}

/**
 * `before` the header. Then `sending` it and what follows, `holding` it back, or `narrowed`: the client gets a part.
 * `answered`: the client has its answer, and what still comes is dropped. `passed-on`: the handler has passed an error on
 * before it wrote anything, and what it still writes is dropped. `off`: nobody listens.
 */
type State = 'before' | 'passed-on' | 'sending' | 'holding' | 'narrowed' | 'answered' | 'off'

/**
 * Listens to a handler's answer on the response itself. It replaces the response's functions with its own, which call the
 * former ones. So it works with every framework, and below or above other layers that do the same.
 */
export class Recording {
  readonly res: ServerResponse
  readonly #observer: RecordingObserver
  readonly #base = {} as Record<Patched, AnyFunction>
  readonly #hadOwn = {} as Record<Patched, boolean>
  readonly #own: Record<Patched, AnyFunction>
  #state: State = 'before'
  #headSeen = false
  #headNoted = false
  #ended = false
  /** Set while a function below ours runs. When that calls ours, the call is already recorded. */
  #inBase = false
  #held: Buffer[] = []
  /** Set while the observer decides on the header. A `stop` in that time takes effect afterwards. */
  #isAnnouncing = false
  #mayStop = false
  /** Other readers hold up the run: the handler is not told that its own client takes more. */
  #isPaused = false
  /** Its own client takes nothing now. */
  #isFull = false
  /** The handler's listeners for `drain`, if an outer layer treats that event in its own way. */
  readonly #drains = new EventEmitter()
  /** Set while a header is shown that goes out with the body. `length`: the body's, if all of it is there. */
  #implicit: { length: number | undefined } | undefined
  /** What is left of the part that the client gets. */
  #part = { skip: 0, left: 0 }

  constructor(res: ServerResponse, observer: RecordingObserver) {
    this.res = res
    this.#observer = observer
    this.#own = {
      writeHead: (...args) => this.#writeHead(args),
      write: (...args) => this.#write(args),
      end: (...args) => this.#end(args),
      flushHeaders: () => this.#flush('flushHeaders', []),
      flush: (...args) => this.#flush('flush', args),
      destroy: (...args) => this.#destroy(args),
      emit: (...args) => this.#emit(args),
      on: (...args) => this.#listen('on', args),
      removeListener: (...args) => this.#listen('removeListener', args),
      off: (...args) => this.#listen('off', args),
    }
    const layersDrain = Object.hasOwn(res, 'on')
    const target = res as unknown as Record<Patched, AnyFunction | undefined>
    for (const name of [...PATCHED, ...OF_LAYERS]) {
      const base = target[name]
      if (base === undefined || (!layersDrain && ON_EMITTERS.has(name))) continue
      this.#base[name] = base
      this.#hadOwn[name] = Object.hasOwn(res, name)
      target[name] = this.#own[name]
    }
    if (layersDrain) this.#callBase('on', 'drain', () => this.#drained(() => this.#drains.emit('drain')))
  }

  get headSent(): boolean {
    return this.#state !== 'before' && this.#state !== 'passed-on' && this.#state !== 'holding'
  }

  get isHolding(): boolean {
    return this.#state === 'holding' || this.#state === 'passed-on'
  }

  get hasOuterLayers(): boolean {
    return this.#hadOwn.writeHead || this.#hadOwn.end || this.#hadOwn.write
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Stops listening. What was held back goes out. What follows goes out as it would without us. */
  stop(): void {
    this.#mayStop = true
    if (this.#isAnnouncing) return
    this.sendHeld()
    if (this.#state === 'answered' || this.#state === 'narrowed') return
    this.#state = 'off'
    const target = this.res as unknown as Partial<Record<Patched, AnyFunction>>
    for (const name of [...PATCHED, ...OF_LAYERS]) {
      // Inner layers may have patched ours in turn. Then ours stays, and only passes on.
      if (target[name] !== this.#own[name]) continue
      if (this.#hadOwn[name]) target[name] = this.#base[name]
      else delete target[name]
    }
    this.#showHead()
    this.resume()
  }

  /** The functions below ours are now those of a response without a client. */
  reseat(): void {
    for (const name of PATCHED) this.#base[name] = ServerResponse.prototype[name] as AnyFunction
  }

  /** Holds back an answer that has not begun yet. */
  hold(): void {
    if (this.#state === 'before') this.#state = 'passed-on'
  }

  /** Sends the client what was held back, and all that follows. */
  sendHeld(): void {
    if (this.#state !== 'holding') return
    this.#state = 'sending'
    this.#showHead()
    const held = this.#held
    this.#held = []
    const last = this.#ended ? held.pop() : undefined
    for (const chunk of held) this.#callBase('write', chunk)
    if (this.#ended) this.#callBase('end', last)
    else if (held.length === 0) this.#callBase('writeHead', this.res.statusCode)
  }

  /** Prepares for an answer that is not the handler's: removes its fields and restores those from before. */
  clear(baseline: ReadonlyArray<readonly [string, string | string[]]>): void {
    this.#state = 'answered'
    this.#held = []
    this.#showHead()
    for (const name of this.res.getHeaderNames()) this.res.removeHeader(name)
    for (const [name, value] of baseline) this.res.setHeader(name, value)
  }

  /** Ends the response with what was put on it after `clear`. */
  finish(body: Buffer | undefined): void {
    this.#callBase('end', body)
  }

  /** The handler may write on. */
  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    if (this.#isFull) return // the handler is told when its own client takes more
    if (this.#base.on !== undefined) this.#drains.emit('drain')
    else this.#callBase('emit', 'drain')
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

  /** Calls a function below ours that sends the header. An error of outer layers there is for the handler alone. */
  #sendHead(name: Patched, ...args: unknown[]): unknown {
    let result: unknown
    const { writeHead } = this.res
    // The layers over ours have seen the header. Node's own call must not show it to them again.
    this.res.writeHead = this.#own.writeHead as typeof writeHead
    try {
      result = this.#callBase(name, ...args)
    } catch (error) {
      if (!this.#headNoted) this.#fail(error)
      throw error
    } finally {
      if (this.res.writeHead === this.#own.writeHead) this.res.writeHead = writeHead
    }
    if (!this.#headNoted && this.#state === 'sending') {
      this.#headNoted = true
      this.#observer.onHeadSent(readHead(this.res))
    }
    return result
  }

  /** Others do not get the rest. The handler goes on as it would without us. */
  #fail(error: unknown): void {
    if (this.#state === 'off') return
    this.#state = 'off'
    this.#observer.onCut(error)
  }

  /** Shows the header to the observer. `length`: of the body, if all of it is there. */
  #announce(length?: number): void {
    this.#headSeen = true
    const head = readHead(this.res)
    const fields = length === undefined ? head.fields : [...head.fields, ...lengthField(this.res, length)]
    this.#isAnnouncing = true
    const decision = this.#observer.onHead({ ...head, fields })
    this.#isAnnouncing = false
    if (typeof decision === 'object') this.#narrow(decision)
    else if (this.#mayStop) this.stop()
    else this.#state = decision === 'hold' ? 'holding' : 'sending'
    if (this.#state === 'holding' || this.#state === 'answered') this.#hideHead()
  }

  /**
   * Shows a header that the handler does not send itself, because it goes out with the body. Layers over ours may change it
   * now, those below when it goes out.
   */
  #imply(length?: number): void {
    this.#implicit = { length }
    try {
      this.res.writeHead(this.res.statusCode)
    } finally {
      this.#implicit = undefined
    }
  }

  /** For the handler, a header that it has given counts as sent. */
  #hideHead(): void {
    Object.defineProperty(this.res, 'headersSent', { configurable: true, get: () => true })
  }

  #showHead(): void {
    if (Object.hasOwn(this.res, 'headersSent')) delete (this.res as { headersSent?: boolean }).headersSent
  }

  /** Gives the client what it asked for of an answer that is for it alone. */
  #narrow(narrowed: Narrowed): void {
    const { res } = this
    if (narrowed.kind === 'not-modified') {
      for (const name of ABOUT_THE_BODY) res.removeHeader(name)
      res.statusCode = 304
      this.#state = 'answered'
      this.#callBase('end')
      return
    }
    const { start, end, size } = narrowed
    res.statusCode = 206
    res.setHeader('Content-Range', `bytes ${start}-${end}/${size}`)
    res.setHeader('Content-Length', String(end - start + 1))
    this.#part = { skip: start, left: end - start + 1 }
    this.#state = 'narrowed'
  }

  #writeHead(args: unknown[]): unknown {
    if (this.#headSeen && !this.#inBase && (this.#state === 'holding' || this.#state === 'answered')) {
      const error: Error & { code?: string } = new Error('Cannot write headers after they are sent to the client')
      error.code = 'ERR_HTTP_HEADERS_SENT'
      throw error
    }
    if (this.#state === 'passed-on' && !this.#inBase) return this.res
    if (this.#state !== 'before' || this.#inBase) return this.#base.writeHead.apply(this.res, args)
    const status = Number(args[0])
    // Node refuses such a status, with a better message.
    if (!(status >= 100 && status <= 999)) return this.#base.writeHead.apply(this.res, args)
    applyHead(this.res, args)
    const implicit = this.#implicit
    this.#announce(implicit?.length)
    if (implicit !== undefined) return this.res
    if (this.#currentState() === 'holding' || this.#currentState() === 'answered') return this.res
    return this.#sendHead('writeHead', this.res.statusCode)
  }

  #write(args: unknown[]): unknown {
    if (this.#state === 'off' || this.#inBase) return this.#base.write.apply(this.res, args)
    const callback = callbackOf(args)
    const chunk = bytesOf(args[0], args[1])
    if (chunk === undefined || this.#ended) {
      if (this.#state !== 'answered' && this.#state !== 'passed-on') return this.#callBase('write', ...args)
      if (callback) process.nextTick(callback)
      return true
    }
    if (this.#state === 'before') this.#imply()
    switch (this.#currentState()) {
      case 'sending': {
        const taken = this.#sendHead('write', chunk, callback) !== false
        this.#isFull = !taken
        return hasBody(this.res) ? this.#noteChunk(chunk, taken) : taken
      }
      case 'narrowed':
        return this.#writePart(chunk, callback)
      case 'holding':
        if (hasBody(this.res)) {
          this.#noteChunk(chunk, true)
          if (this.#currentState() !== 'holding') return this.#callBase('write', chunk, callback)
          this.#held.push(chunk)
        }
        break
      case 'answered':
      case 'passed-on':
        break
      default:
        return this.#callBase('write', ...args)
    }
    if (callback) process.nextTick(callback)
    return true
  }

  /** Whether the handler may write on. `taken`: its own client takes more. The observer decides for all readers. */
  #noteChunk(chunk: Buffer, taken: boolean): boolean {
    if (this.#currentState() === 'off') return taken
    const mayGoOn = this.#observer.onChunk(chunk, taken)
    this.#isPaused = !mayGoOn && this.#currentState() !== 'off'
    return mayGoOn
  }

  #end(args: unknown[]): unknown {
    if (this.#state === 'off' || this.#inBase) return this.#base.end.apply(this.res, args)
    const callback = callbackOf(args)
    const first = typeof args[0] === 'function' ? undefined : args[0]
    const isGiven = first !== undefined && first !== null
    const chunk = isGiven ? bytesOf(first, args[1]) : undefined
    if (this.#ended || (chunk === undefined && isGiven)) {
      if (!this.isHolding && this.#state !== 'answered') return this.#callBase('end', ...args)
      if (callback) process.nextTick(callback)
      return this.res
    }
    if (this.#state === 'before') this.#imply(chunk?.length ?? 0)
    const body = chunk !== undefined && chunk.length > 0 && hasBody(this.res) ? chunk : undefined
    switch (this.#currentState()) {
      case 'sending':
        this.#ended = true
        try {
          if (chunk === undefined) this.#sendHead('end', callback)
          else this.#sendHead('end', chunk, callback)
        } finally {
          if (this.#currentState() === 'sending') this.#observer.onEnd(body)
        }
        return this.res
      case 'narrowed':
        if (body !== undefined) this.#writePart(body, undefined)
        this.#ended = true
        if (this.#currentState() === 'narrowed') this.#callBase('end', callback)
        return this.res
      case 'holding':
        this.#ended = true
        if (body !== undefined) this.#held.push(body)
        if (callback) this.res.once('finish', callback)
        this.#observer.onEnd(body)
        return this.res
      case 'answered':
        this.#ended = true
        if (callback) process.nextTick(callback)
        return this.res
      case 'passed-on':
        if (callback) process.nextTick(callback)
        return this.res
      default:
        return this.#callBase('end', ...args)
    }
  }

  /** Writes the bytes of a chunk that belong to the client's part. The answer ends with the last of them. */
  #writePart(chunk: Buffer, callback: Callback | undefined): unknown {
    const { skip, left } = this.#part
    const piece = chunk.subarray(Math.min(skip, chunk.length), skip + left)
    this.#part = { skip: Math.max(0, skip - chunk.length), left: left - piece.length }
    if (this.#part.left > 0) {
      if (piece.length > 0) return this.#callBase('write', piece, callback)
      if (callback) process.nextTick(callback)
      return true
    }
    this.#state = 'answered'
    this.#callBase('end', piece, callback)
    return true
  }

  #flush(name: 'flush' | 'flushHeaders', args: unknown[]): unknown {
    if (this.#state === 'off' || this.#inBase) return this.#base[name].apply(this.res, args)
    if (this.#state === 'before' && name === 'flushHeaders') this.#imply()
    if (this.#currentState() === 'holding' || this.#currentState() === 'answered') return undefined
    if (this.#currentState() === 'off') return this.#callBase(name, ...args)
    const result = this.#sendHead(name, ...args)
    if (this.#currentState() === 'sending') this.#observer.onFlush()
    return result
  }

  #destroy(args: unknown[]): unknown {
    if (this.#state !== 'off' && this.#state !== 'answered' && !this.#ended) this.#observer.onCut(args[0])
    return this.#base.destroy.apply(this.res, args)
  }

  #emit(args: unknown[]): unknown {
    const emit = (): unknown => this.#base.emit.apply(this.res, args)
    return args[0] === 'drain' && this.#base.on === undefined ? this.#drained(emit) : emit()
  }

  /** Its own client takes more. `tell`: tells the handler, unless other readers hold it up. */
  #drained(tell: () => unknown): unknown {
    this.#isFull = false
    if (this.#state === 'off') return tell()
    const wasPaused = this.#isPaused
    this.#observer.onDrain() // it may call `resume`, which tells the handler
    return wasPaused || tell()
  }

  #listen(name: 'on' | 'removeListener' | 'off', args: unknown[]): unknown {
    if (args[0] !== 'drain' || this.#inBase) return this.#base[name].apply(this.res, args)
    this.#drains[name]('drain', args[1] as () => void)
    return this.res
  }

  /** Reads the state where a call in between may have changed it. */
  #currentState(): State {
    return this.#state
  }
}

function callbackOf(args: unknown[]): Callback | undefined {
  return args.find((argument) => typeof argument === 'function') as Callback | undefined
}

/** A copy, because handlers reuse their buffers. Undefined for values that Node does not take either. */
function bytesOf(chunk: unknown, encoding: unknown): Buffer | undefined {
  if (typeof chunk === 'string') {
    return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
  }
  return chunk instanceof Uint8Array ? Buffer.from(chunk) : undefined
}
