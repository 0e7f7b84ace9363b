import type { Clock } from '../clock.ts'
import { clientError } from './client-error.ts'
import type { ClientPort, PortListener } from './client-port.ts'

/** ms for which an error of the connection counts as the cause of later failures. */
const TELLING_FOR = 10_000

/** Gets the events of a client's connection. */
export interface ClientListener {
  /** It is connected, for the first time or again. */
  onReady(): void
  /** An attempt to connect has failed. Others will follow. */
  onFailure?(): void
  /**
   * It has ended, because the application closed it or because it gave up. It returns only if the application reconnects
   * it.
   */
  onEnd(): void
}

/**
 * What is known about the connection of a user's client. There is one for each client, however many caches and locks
 * share it. Otherwise they would add so many listeners that Node warns of a leak. It listens while anybody uses it.
 */
export class ClientState {
  readonly #client: ClientPort
  readonly #clock: Clock
  readonly #listeners = new Set<ClientListener>()
  #users = 0
  #stopListening: () => void = () => {}
  /** How often a connection, or an attempt at one, has ended. */
  losses = 0
  /** Whether it is connected according to its events: between `ready` and `close`. */
  #isReady = false
  /** Whether the last attempt to connect has failed. */
  #hasFailed = false
  #lastError: Error | undefined
  #lastErrorAt = -Infinity

  private constructor(client: ClientPort, clock: Clock) {
    this.#client = client
    this.#clock = clock
  }

  /** The state of `client`. It is in use until `leave` has been called as often as this. */
  static of(client: ClientPort, clock: Clock): ClientState {
    const state = states.get(client) ?? new ClientState(client, clock)
    states.set(client, state)
    if (state.#users++ === 0) state.#listen()
    return state
  }

  leave(): void {
    if (--this.#users > 0) return
    this.#stopListening()
  }

  /** Calls `listener` until the returned function is called. */
  watch(listener: ClientListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Why a command should not be sent: the client tried to connect, failed, and has not succeeded since. */
  get failure(): Error | undefined {
    const { status, label } = this.#client
    if (!this.#hasFailed || status === 'unknown' || status === 'ready') return undefined
    return this.#lastError ?? clientError(new Error(`${label} is not connected`), label)
  }

  /** The last error of the connection, unless it is old. */
  get recentError(): Error | undefined {
    return this.#clock.now() - this.#lastErrorAt < TELLING_FOR ? this.#lastError : undefined
  }

  /** Whether the client is connecting for the first time, or has not begun to. */
  get isConnecting(): boolean {
    const { status } = this.#client
    return !this.#hasFailed && (status === 'idle' || status === 'connecting')
  }

  #listen(): void {
    this.#isReady = this.#client.status === 'ready'
    this.#hasFailed = false
    this.#stopListening = this.#client.listen(this.#listener)
  }

  readonly #listener: PortListener = {
    onError: (error) => this.#noteError(error),
    onReady: () => this.#noteReady(),
    onClose: () => this.#noteClose(),
    onConnecting: () => this.#noteConnecting(),
    onEnd: () => this.#noteEnd(),
    onNodeLost: () => void this.losses++,
  }

  /** Whether it had ended, so that the attempt that starts now is a first one. */
  #hasEnded = false

  #noteError(error: unknown): void {
    this.#lastError = clientError(error, this.#client.label)
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

const states = new WeakMap<ClientPort, ClientState>()
