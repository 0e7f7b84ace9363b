import type { PublishedLoad } from '../../cache/stream/published-load.ts'
import type { Exchange } from '../flights/exchange.ts'
import { storedCodec } from '../stored/stored-codec.ts'
import { StoredResponse } from '../stored/stored-response.ts'
import { Audience } from './audience.ts'
import type { FillSurroundings } from './fill-parts.ts'

/** `before` the head. `sharing` the body while all of it is kept. Then `passing` it on to followers that have begun. */
type Phase = 'before' | 'sharing' | 'passing' | 'over'

export interface RemoteFillHost {
  /** The head is there. */
  onHead(fill: RemoteFill): void
  /** Nobody can join any more. */
  onOver(fill: RemoteFill): void
}

/** A run that another process publishes. Requests that wait here get its head, and its body as it comes. */
export class RemoteFill {
  readonly #load: PublishedLoad
  readonly #about: FillSurroundings
  readonly #host: RemoteFillHost
  readonly #audience: Audience
  #phase: Phase = 'before'
  /** A response without its body. */
  #head: StoredResponse | undefined
  /** Bytes of the body so far, and how many of them count against the budget. */
  #bytes = 0
  #held = 0
  #goOn: () => void = () => {}

  constructor(load: PublishedLoad, about: FillSurroundings, host: RemoteFillHost) {
    this.#load = load
    this.#about = about
    this.#host = host
    this.#audience = new Audience(NO_CLIENT, {
      clock: about.clock,
      stallTimeout: about.rules.stallTimeout,
      onReady: () => this.#goOn(),
      onAllGone: () => this.stop(),
    })
    void this.#run()
  }

  /** Whether its head is there, so that it can be followed. */
  get isShared(): boolean {
    return this.#phase === 'sharing'
  }

  /** Gives an exchange the answer as it comes. False: that is not possible. */
  follow(exchange: Exchange): boolean {
    const head = this.#head
    if (head === undefined || this.#phase !== 'sharing' || !head.isSelectedBy(exchange.headers)) return false
    if (exchange.narrowed && !exchange.isHead) return false
    const { status, statusMessage: message, fields, removed, joins } = head
    this.#audience.admit(exchange, { status, message, fields, removed, joins }, head.age(this.#about.clock.wallNow()))
    return true
  }

  /** Nobody here wants the rest. */
  stop(): void {
    this.#load.stop()
    this.#goOn()
    this.#end()
  }

  /** Stops if nobody follows. */
  stopIfUnread(): void {
    if (this.#audience.isEmpty) this.stop()
  }

  async #run(): Promise<void> {
    try {
      for (let piece = await this.#load.next(); piece !== undefined; piece = await this.#load.next()) {
        if (this.#isOver) return
        if (this.#head === undefined) this.#head = headIn(asBuffer(piece))
        else this.#take(asBuffer(piece))
        // Takes the pieces that are already here first: they may have the event that a client names as its last.
        if (this.#phase === 'before' && !this.#load.hasNext) this.#share()
        if (this.#audience.isHeldUp) await new Promise<void>((resolve) => (this.#goOn = resolve))
      }
      if (this.#phase === 'before' && this.#head !== undefined) this.#share()
      this.#audience.end()
    } catch {
      this.#audience.cut()
    }
    this.#load.stop()
    this.#end()
  }

  #share(): void {
    this.#phase = 'sharing'
    this.#host.onHead(this)
    this.stopIfUnread()
  }

  #take(piece: Buffer): void {
    this.#bytes += piece.length
    if (this.#phase !== 'passing') {
      const isKept = this.#bytes <= this.#about.rules.maxBodyBytes && this.#about.budget.take(piece.length)
      if (isKept) this.#held += piece.length
      else this.#stopKeeping()
    }
    this.#audience.write(piece, false)
    this.#audience.flush()
  }

  #stopKeeping(): void {
    this.#phase = 'passing'
    this.#audience.stopKeeping()
    this.#giveBack()
    this.#host.onOver(this)
    this.stopIfUnread()
  }

  get #isOver(): boolean {
    return this.#phase === 'over'
  }

  #end(): void {
    if (this.#isOver) return
    this.#phase = 'over'
    this.#giveBack()
    this.#host.onOver(this)
  }

  #giveBack(): void {
    this.#about.budget.giveBack(this.#held)
    this.#held = 0
  }
}

/** The run's own client is another process's affair. */
const NO_CLIENT = { cut: (): void => {} }

function headIn(piece: Buffer): StoredResponse {
  const head = storedCodec.decode(piece)
  if (!(head instanceof StoredResponse)) throw new TypeError('what another process publishes is no response')
  return head
}

function asBuffer(piece: unknown): Buffer {
  if (!(piece instanceof Uint8Array)) throw new TypeError('what another process publishes is no response')
  return Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)
}
