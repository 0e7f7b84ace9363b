import type { Clock } from '../clock.ts'
import type { SubscriberError } from '../errors.ts'
import type { MessageKind } from './client-port.ts'
import type { Connection } from './connection.ts'
import { MessageConnection, type Member } from './message-connection.ts'

/**
 * Whether messages of other processes arrive. `closed`: before they are first needed, and after the client was closed.
 * `failing`: an attempt to connect has failed, or a connection did not last, and none has lasted since.
 */
export type MessagesState = 'closed' | 'connecting' | 'connected' | 'failing'

export interface SubscriberHooks {
  /** Messages on these channels arrive from now on. */
  onReady(channels: readonly string[]): void
  /** Messages on these channels, which were added later, arrive from now on. */
  onAdded(channels: readonly string[]): void
  /** From now on none arrive; some may have been missed. */
  onLost(): void
  onMessage(channel: Buffer, message: Buffer): void
  /** It cannot connect or stay connected although Redis answers, so no operation reports it. */
  onFailure(error: SubscriberError): void
}

/** One inbox's part in the connection for messages of its client. */
export class Subscriber implements Member {
  readonly channels: Set<string>
  /** Shared with others. */
  readonly line: MessageConnection
  readonly #connection: Connection
  readonly #hooks: SubscriberHooks
  #isOpen = false

  constructor(
    connection: Connection,
    clock: Clock,
    channels: readonly string[],
    kind: MessageKind,
    hooks: SubscriberHooks,
  ) {
    this.channels = new Set(channels)
    this.line = MessageConnection.of(connection, clock, kind)
    this.#connection = connection
    this.#hooks = hooks
  }

  get state(): MessagesState {
    if (!this.#isOpen) return 'closed'
    if (this.line.hears(this)) return 'connected'
    return this.line.isFailing || this.line.isRefused(this) ? 'failing' : 'connecting'
  }

  /** Connects, unless it is already connecting or the client has ended. */
  open(): void {
    if (this.#isOpen || this.#connection.client.status === 'ended') return
    this.#isOpen = true
    this.line.join(this)
  }

  close(): void {
    const wasReady = this.state === 'connected'
    this.#isOpen = false
    this.line.leave(this)
    if (wasReady) this.#hooks.onLost()
  }

  /** Listens to more channels. If it is not open yet, they are among those that it listens to then. */
  add(channels: readonly string[]): void {
    for (const channel of channels) this.channels.add(channel)
    this.line.added(this, channels)
  }

  remove(channels: readonly string[]): void {
    for (const channel of channels) this.channels.delete(channel)
    this.line.removed(channels)
  }

  onEnd(): void {
    this.#isOpen = false
  }

  onAdded(channels: readonly string[]): void {
    this.#hooks.onAdded(channels)
  }

  onReady(channels: readonly string[]): void {
    this.#hooks.onReady(channels)
  }

  onLost(): void {
    this.#hooks.onLost()
  }

  onMessage(channel: Buffer, message: Buffer): void {
    this.#hooks.onMessage(channel, message)
  }

  onFailure(error: SubscriberError): void {
    this.#hooks.onFailure(error)
  }
}
