import type { Clock, Timer } from '../clock.ts'
import { SubscriberError } from '../errors.ts'
import { clientError } from './client-error.ts'
import type { Connection } from './connection.ts'
import type { Subscription } from './client-port.ts'

/**
 * Whether messages of other processes arrive: `closed` before the first need, and after the client was closed; `failing`
 * when an attempt to connect has failed, or a connection did not last, until one does.
 */
export type MessagesState = 'closed' | 'connecting' | 'connected' | 'failing'

export interface SubscriberHooks {
  /** Messages arrive from now on. */
  onReady(): void
  /** From now on none arrive; some may have been missed. */
  onLost(): void
  onMessage(channel: Buffer, message: Buffer): void
  /** It cannot connect or stay, although Redis answers: nobody else would tell. */
  onFailure(error: SubscriberError): void
}

/** ms from a failure to the next attempt, doubled each time. */
const FIRST_PAUSE = 50
const LONGEST_PAUSE = 5000
/** ms that an attempt may take, doubled each time: a frozen server accepts connections and says nothing. */
const FIRST_PATIENCE = 2000
const LONGEST_PATIENCE = 20_000
/** ms after which a connection counts as one that lasts. */
const LASTING = 5000

/**
 * The connection for messages, opened anew whenever it is lost, until the user's client ends: each time as a duplicate
 * of that client, which the application may have given other credentials since.
 */
export class Subscriber {
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #subscription: Subscription
  readonly #hooks: SubscriberHooks
  #state: MessagesState = 'closed'
  /** The connection, or the attempt at one. */
  #current: { close(): void } | undefined
  /** Ends that attempt, or begins the next. */
  #timer: Timer | undefined
  #attempts = 0
  /** In a row. */
  #failures = 0
  #readyAt = -Infinity
  #stopWatching: () => void = () => {}

  constructor(connection: Connection, clock: Clock, subscription: Subscription, hooks: SubscriberHooks) {
    this.#connection = connection
    this.#clock = clock
    this.#subscription = subscription
    this.#hooks = hooks
  }

  get state(): MessagesState {
    return this.#state
  }

  /** Connects unless it does so already, or the client has ended. */
  open(): void {
    if (this.#state !== 'closed' || this.#connection.client.status === 'ended') return
    this.#state = 'connecting'
    this.#stopWatching = this.#connection.watch({ onReady: () => this.#hurry(), onEnd: () => this.close() })
    this.#attempt()
  }

  /** Gives the present connection up for another. */
  reopen(why: string): void {
    this.#current?.close()
    this.#end(new Error(why))
  }

  close(): void {
    const wasReady = this.#state === 'connected'
    this.#state = 'closed'
    this.#failures = 0
    this.#stopWatching()
    this.#timer?.cancel()
    this.#current?.close()
    this.#current = undefined
    if (wasReady) this.#hooks.onLost()
  }

  #attempt(): void {
    const { client } = this.#connection
    // A Cluster names its nodes once it is connected, which `watch` tells.
    if (client.isCluster && client.status !== 'ready' && client.status !== 'unknown') return
    const patience = doubled(FIRST_PATIENCE, this.#failures, LONGEST_PATIENCE)
    this.#setTimer(patience, () => this.reopen(`it was not ready within ${patience} ms`))
    try {
      this.#current = client.openMessages(this.#attempts++, this.#subscription, {
        onReady: () => this.#noteReady(),
        onMessage: this.#hooks.onMessage,
        onEnd: (error) => this.#end(error),
      })
    } catch (error) {
      this.#end(error)
    }
  }

  #noteReady(): void {
    this.#timer?.cancel()
    this.#state = 'connected'
    this.#readyAt = this.#clock.now()
    this.#hooks.onReady()
  }

  #end(error: unknown): void {
    const wasReady = this.#state === 'connected'
    const hasLasted = wasReady && this.#clock.now() - this.#readyAt >= LASTING
    this.#failures = hasLasted ? 0 : this.#failures + 1
    this.#current = undefined
    // One that is lost for the first time is replaced before anybody need know.
    const isFailure = this.#failures > (wasReady ? 1 : 0)
    this.#state = isFailure ? 'failing' : 'connecting'
    this.#setTimer(doubled(FIRST_PAUSE, this.#failures, LONGEST_PAUSE), () => this.#attempt())
    if (wasReady) this.#hooks.onLost()
    if (isFailure) void this.#report(error)
  }

  /** Where Redis does not answer at all, operations tell. */
  async #report(error: unknown): Promise<void> {
    const { label } = this.#connection
    if (!(await this.#connection.answers()) || this.#state !== 'failing') return
    this.#hooks.onFailure(new SubscriberError(label, clientError(error, label)))
  }

  /** What kept the client from connecting may have kept this from it, too. */
  #hurry(): void {
    if (this.#current === undefined && this.#state !== 'closed') this.#setTimer(0, () => this.#attempt())
  }

  /** The user's client is what keeps a process alive. */
  #setTimer(ms: number, callback: () => void): void {
    this.#timer?.cancel()
    this.#timer = this.#clock.setTimeout(callback, ms, { keepAlive: false })
  }
}

function doubled(first: number, times: number, longest: number): number {
  return Math.min(first * 2 ** times, longest)
}
