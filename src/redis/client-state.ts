import { errorMonitor } from 'node:events'
import type { Clock } from '../clock.ts'
import { clientError } from './client-error.ts'
import { labelOf, type RedisClient } from './client.ts'

/** ms for which an error of the connection counts as the reason of what goes wrong. */
const TELLING_FOR = 10_000

/** Who wants to hear of a client's connection. */
export interface ClientListener {
  /** It is connected, for the first time or again. */
  onReady(): void
  /** An attempt to connect has failed; others will follow. */
  onFailure?(): void
  /** It has ended, by the application's will or because it gives up, and comes back only if the application says so. */
  onEnd(): void
}

/**
 * What is known of the connection of a user's client. One for each client, however many caches and locks share it: they
 * would otherwise add so many listeners that Node warns of a leak. It listens while anybody uses it.
 */
export class ClientState {
  readonly #client: RedisClient
  readonly #clock: Clock
  readonly #listeners = new Set<ClientListener>()
  #users = 0
  /** How often a connection, or an attempt at one, has ended. */
  losses = 0
  /** Whether it is connected, as far as events have told: between `ready` and `close`. */
  #isReady = false
  /** Whether the last attempt to connect has failed. */
  #hasFailed = false
  #lastError: Error | undefined
  #lastErrorAt = -Infinity

  private constructor(client: RedisClient, clock: Clock) {
    this.#client = client
    this.#clock = clock
  }

  /** The one of `client`, in use until `leave` has been called as often. */
  static of(client: RedisClient, clock: Clock): ClientState {
    const state = states.get(client) ?? new ClientState(client, clock)
    states.set(client, state)
    if (state.#users++ === 0) state.#listen()
    return state
  }

  leave(): void {
    if (--this.#users > 0) return
    for (const [event, listener] of this.#events) this.#client.off(event as string, listener)
  }

  /** Calls `listener` until the returned function is called. */
  watch(listener: ClientListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Why a command had better not be sent: the client tried to connect, failed, and has not succeeded since. */
  get failure(): Error | undefined {
    const { status } = this.#client
    if (!this.#hasFailed || status === undefined || status === 'ready') return undefined
    return this.#lastError ?? clientError(new Error(`${labelOf(this.#client)} is not connected`), labelOf(this.#client))
  }

  /** The last error of the connection, unless it is of long ago. */
  get recentError(): Error | undefined {
    return this.#clock.now() - this.#lastErrorAt < TELLING_FOR ? this.#lastError : undefined
  }

  /** Whether the client is on its way to its first connection, or has not begun. */
  get isConnecting(): boolean {
    const { status } = this.#client
    return !this.#hasFailed && status !== undefined && status !== 'ready' && status !== 'end'
  }

  #listen(): void {
    this.#isReady = this.#client.status === 'ready'
    this.#hasFailed = false
    for (const [event, listener] of this.#events) this.#client.on(event as string, listener)
  }

  // To listen to `error` itself would keep ioredis from printing what nobody else listens to.
  readonly #events = new Map<string | symbol, (error: unknown) => void>([
    [errorMonitor, (error) => this.#noteError(error)],
    ['node error', (error) => this.#noteError(error)],
    ['ready', () => this.#noteReady()],
    ['close', () => this.#noteClose()],
    ['connecting', () => this.#noteConnecting()],
    ['end', () => this.#noteEnd()],
    // A Cluster drops the connection to a node that is lost.
    ['-node', () => void this.losses++],
  ])

  /** Whether it had ended, so that the attempt which now begins is a first one. */
  #hasEnded = false

  #noteError(error: unknown): void {
    this.#lastError = clientError(error, labelOf(this.#client))
    this.#lastErrorAt = this.#clock.now()
  }

  #noteReady(): void {
    this.#isReady = true
    this.#hasFailed = false
    this.#lastError = undefined
    this.#lastErrorAt = -Infinity
    for (const { onReady } of [...this.#listeners]) onReady()
  }

  #noteClose(): void {
    // Where nobody listens to `error`, ioredis prints it and tells nobody.
    const { errored } = this.#client.stream ?? {}
    if (errored) this.#noteError(errored)
    this.losses++
    const wasReady = this.#isReady
    this.#isReady = false
    if (wasReady) return
    this.#hasFailed = true
    for (const { onFailure } of [...this.#listeners]) onFailure?.()
  }

  #noteConnecting(): void {
    if (this.#hasEnded) this.#hasFailed = false
    this.#hasEnded = false
  }

  #noteEnd(): void {
    this.#hasEnded = true
    for (const { onEnd } of [...this.#listeners]) onEnd()
  }
}

const states = new WeakMap<RedisClient, ClientState>()
