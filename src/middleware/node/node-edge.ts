import { AsyncResource } from 'node:async_hooks'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'

import type { NarrowingRequest } from '../answer/narrowed.ts'
import type { FollowedHead, Outlet, OutletListener } from '../fill/sink.ts'
import type { ResponseHead, Source, SourceObserver, SourceTerms } from '../fill/source.ts'
import type { Edge } from '../flights/edge.ts'
import type { Baseline, FieldBlock } from '../rules/fields.ts'
import type { StoredResponse } from '../stored/stored-response.ts'
import { describeConnection, type Connection } from './connection.ts'
import { cutOff } from './cut-off.ts'
import { HandlerRun, type OnError } from './handler-run.ts'
import { Recording, UNHEARD } from './recording.ts'
import { besideFieldsOf, giveHead, replyOn, send } from './send.ts'
import { detached, renew } from './stand-in.ts'
import { warn } from '../warn.ts'

/** Runs the handler on the request's own response, or on a stand-in for it. */
export type RunHandler = (req: IncomingMessage, res: ServerResponse, onError: OnError) => void

interface NodeEdgeParts {
  req: IncomingMessage
  res: ServerResponse
  request: NarrowingRequest
  /** Only with `wrap`: the handler can be called with another response. */
  detachable: boolean
  run: RunHandler
}

/** A request of node:http or node:http2, and its response. */
export class NodeEdge implements Edge {
  readonly baseline: Baseline
  readonly #req: IncomingMessage
  readonly #res: ServerResponse
  readonly #request: NarrowingRequest
  readonly #detachable: boolean
  readonly #run: RunHandler
  /** Read at the start: once the client has left, the socket does not tell any more. */
  readonly #connection: Connection
  #isClosed = false
  readonly #scope = new AsyncResource('herdlock.Exchange', { requireManualDestroy: true })

  constructor({ req, res, request, detachable, run }: NodeEdgeParts) {
    this.#req = req
    this.#res = res
    this.#request = request
    this.#detachable = detachable
    this.#run = run
    this.#connection = describeConnection(req.socket)
    this.baseline = Object.entries(res.getHeaders()).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? [...value] : String(value)] as const],
    )
  }

  get isOver(): boolean {
    const res = this.#res
    return res.headersSent || res.writableEnded || res.destroyed || this.#req.socket?.destroyed === true
  }

  get canStandIn(): boolean {
    return this.#req instanceof Readable
  }

  answer(stored: StoredResponse, fields: FieldBlock): void {
    if (this.isOver) return
    // Some libraries emit `close` without noting it.
    this.#res.once('close', () => (this.#isClosed = true))
    this.#guarded(() => send(this.#res, replyOn(this.#res, this.#request, stored, fields)))
  }

  refuse(status: number, cacheStatus: string, retryAfter?: number): void {
    if (this.isOver) return
    const res = this.#res
    this.#guarded(() => {
      res.statusCode = status
      res.setHeader('Cache-Status', cacheStatus)
      if (retryAfter !== undefined) res.setHeader('Retry-After', retryAfter)
      res.end()
    })
  }

  follow({ status, message, block, removed, joins }: FollowedHead, listener: OutletListener): Outlet {
    const res = this.#res
    const onDrain = (): void => listener.onDrain()
    const onClose = (): void => listener.onClose()
    res.on('drain', onDrain)
    res.once('close', () => {
      res.off('drain', onDrain)
      onClose()
    })
    /** False once somebody else has answered or the client is gone: then we must not write. */
    let isOurs = !this.isOver
    const act = (action: () => unknown): void => {
      if (!isOurs || res.writableEnded || res.destroyed) return
      isOurs = this.#guarded(action) && isOurs
    }
    act(() => {
      const fields = besideFieldsOf(res, { removed, joins }, block)
      giveHead(res, status, message, fields)
      // Outer layers may change the header until the first piece goes or this turn ends. Then nobody else may answer.
      if (!res.headersSent) process.nextTick(act, () => res.headersSent || res.writeHead(status))
    })
    if (!isOurs) process.nextTick(onClose)
    return {
      write: (chunk) => {
        let taken = true
        act(() => (taken = res.write(chunk) !== false))
        return taken
      },
      flush: () => act(() => flushed(res)),
      end: (chunk) => act(() => (chunk === undefined ? res.end() : res.end(chunk))),
      cut: () => {
        if (isOurs) cutOff(res)
      },
    }
  }

  open(observer: SourceObserver, terms: SourceTerms): Source {
    const { baseline } = this
    const [req, connection] = [this.#req, this.#connection]
    let res = this.#res
    if (terms.isStandIn) {
      if (this.#detachable) res = detached(req, res, baseline, connection)
      else renew(req, res, baseline, connection)
    }
    const run = (itsRes: ServerResponse, onError: OnError): void => this.#within(() => this.#run(req, itsRes, onError))
    return new HandlerRun({ req, res, request: this.#request, baseline, connection, run }, observer, terms)
  }

  runAlone(label: (head: ResponseHead) => string): void {
    const res = this.#res
    const recording: Recording = new Recording(res, {
      onHead(head) {
        res.setHeader('Cache-Status', label(head))
        recording.stop()
        return 'send'
      },
      onCut: () => recording.stop(),
      ...UNHEARD,
    })
    try {
      this.#within(() => this.#run(this.#req, res, (_error, goOn) => goOn()))
    } catch (error) {
      // Other requests may be waiting for their turn. The error must end the process as it would without us.
      process.nextTick(() => {
        throw error
      })
    }
  }

  whenFree(callback: () => void): void {
    if (this.#detachable || this.#isClosed || this.#res.closed) callback()
    else this.#res.once('close', callback)
  }

  /**
   * Acts in the request's own asynchronous context, whatever made it go on. A handler that looks up "the current user" must
   * never find another request's user.
   */
  #within(action: () => unknown): void {
    this.#scope.runInAsyncScope(action)
  }

  /** An error that an outer layer throws affects this client alone. False: there was one, and the connection is closed. */
  #guarded(action: () => unknown): boolean {
    try {
      this.#within(action)
      return true
    } catch (error) {
      warn(error)
      cutOff(this.#res)
      return false
    }
  }
}

/** Delivers what has been written. Compression has a function for that. */
function flushed(res: ServerResponse & { flush?: () => void }): void {
  if (!res.headersSent) res.flushHeaders()
  res.flush?.()
}
