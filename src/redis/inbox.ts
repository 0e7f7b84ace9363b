import type { Clock, Timer } from '../clock.ts'
import { ClosedError } from '../errors.ts'
import { runOutside } from '../outside.ts'
import type { Random } from '../random.ts'
import type { Connection } from './connection.ts'
import { TRACKING_CHANNEL, type MessageKind, type Shard } from './client-port.ts'
import { inboxAddress, inboxChannel, inboxMessage } from './inbox-address.ts'
import { heartbeat } from './scripts/heartbeat.ts'
import { Subscriber, type MessagesState } from './subscriber.ts'

/**
 * While somebody waits, this process sends itself a message after that many ms of silence, because a half-open subscriber
 * looks healthy.
 */
const HEARTBEAT = 1000
/** The same while nobody waits, but memory relies on messages about changes. */
const IDLE_HEARTBEAT = 5000
const HEARTBEAT_TOPIC = ''

const COLON = 0x3a
const ZERO = 0x30

type Listener = (payload: Buffer) => void

/** What an inbox receives besides its own messages. */
export interface Broadcast {
  /** Channels that all processes listen to. */
  readonly channels: readonly string[]
  onMessage(message: Buffer, channel: string): void
  /** Messages on these channels arrive from now on. */
  onHears?(channels: readonly string[]): void
  /**
   * Whether messages arrive. `lost`: they no longer do. `first`: from now on they do, for the first time. `again`: they
   * do again, after some may have been missed.
   */
  onSync?(state: 'lost' | 'first' | 'again'): void
  /** A message that nobody listens for and that no question under way can expect. */
  onUnheard?(topic: string, payload: Buffer): void
  /** Messages, or those of `tracking`, cannot be received. It is tried again and again. */
  onFailure?(error: unknown): void
  /** Changes of keys with this `prefix`, whoever makes them: Redis's server-assisted caching (CLIENT TRACKING). */
  readonly tracking?: {
    readonly prefix: string
    /** The keys that changed, or `undefined` when all may have. */
    onChange(keys: readonly string[] | undefined): void
  }
}

export interface InboxParts {
  readonly broadcast?: Broadcast
  /** Given if a process has several inboxes with one id: one for each instance, or for each shard. */
  readonly id?: string
  /** On a Cluster: receives messages that are published to that shard. */
  readonly shard?: Shard
  /** Called when messages cannot be received, instead of the one in `broadcast`. */
  readonly onFailure?: (error: unknown) => void
}

/** A question without an answer yet. */
interface Question {
  /** Time of the local clock. */
  readonly askedAt: number
}

interface Kept {
  readonly payload: Buffer
  readonly receivedAt: number
}

/**
 * Receives the messages of other processes for this one: on one subscriber connection, opened when it is first needed.
 * Delivery is best effort, as in Redis. When messages may have been missed, `onReset` callbacks run, and waiters must
 * check by themselves. Nobody may wait for a message without a timer of its own.
 */
export class Inbox {
  /** Names this process to others. */
  readonly id: string
  /** The address to which they publish. */
  readonly address: string
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #channel: string
  readonly #broadcast: Broadcast | undefined
  readonly #shard: Shard | undefined
  readonly #onFailure: ((error: unknown) => void) | undefined
  /** Topic → listeners. There may be several if a revoked wait goes on next to its successor. */
  readonly #listeners = new Map<string, Set<Listener>>()
  readonly #resetListeners = new Set<() => void>()
  /** Questions under way, the oldest first. */
  readonly #questions = new Set<Question>()
  /** Topic → the last message that nobody listened for, the oldest first. Empty while no question is under way. */
  readonly #kept = new Map<string, Kept>()
  readonly #subscriber: Subscriber
  #resetAt = -Infinity
  #opening: Promise<void> | undefined
  #resolveOpening: (() => void) | undefined
  /** Whether messages have arrived before, or would have. */
  #hasBeenReady = false
  #closed = false
  #heartbeat: Timer | undefined
  /** The time for which that timer is set. */
  #heartbeatAt = Infinity
  /** When the first of the current waiters began to wait, or when it last turned out that nothing can be heard. */
  #restsSince = -Infinity

  constructor(
    connection: Connection,
    clock: Clock,
    random: Random,
    { broadcast, id = random.token(), shard, onFailure }: InboxParts = {},
  ) {
    this.id = id
    this.#shard = shard
    this.#onFailure = onFailure ?? broadcast?.onFailure
    this.address = inboxAddress(id, shard?.tag)
    this.#connection = connection
    this.#clock = clock
    this.#channel = inboxChannel(this.address)
    this.#broadcast = broadcast
    this.#subscriber = new Subscriber(connection, clock, this.#channels, this.#kind, {
      onReady: (channels) => this.#noteReady(channels),
      onAdded: (channels) => this.#broadcast?.onHears?.(channels),
      onLost: () => this.#noteLost(),
      onMessage: (channel, message) => this.#receive(channel, message),
      onFailure: (error) => this.#onFailure?.(error),
    })
  }

  get #channels(): string[] {
    return [this.#channel, ...(this.#broadcast?.channels ?? [])]
  }

  get #kind(): MessageKind {
    const { tracking, onFailure } = this.#broadcast ?? {}
    if (this.#shard !== undefined) return { shard: this.#shard }
    if (tracking === undefined) return {}
    return { tracking: { prefix: tracking.prefix, onFailure: (error) => onFailure?.(error) } }
  }

  /** Whether messages of other processes arrive, for people. */
  get state(): MessagesState {
    return this.#subscriber.state
  }

  /** Whether a message published now would arrive. */
  get ready(): boolean {
    return this.#subscriber.state === 'connected'
  }

  /** The time on the local clock since which every message arrives; Infinity while none does. */
  get readySince(): number {
    return this.ready ? this.#resetAt : Infinity
  }

  /** Whether a message published at some time before now may have arrived. */
  get hasBeenReady(): boolean {
    return this.#hasBeenReady
  }

  /**
   * Opens the subscriber if necessary. Resolves when the inbox is ready. Rejects only with `ClosedError`. If the user's
   * client has ended and is connected again, call it again.
   */
  open(): Promise<void> {
    if (this.#closed) return Promise.reject(new ClosedError('inbox'))
    if (this.ready) return Promise.resolve()
    // The connection outlives the caller that needs it first.
    runOutside(() => this.#subscriber.open())
    this.#opening ??= runOutside(() => new Promise((resolve) => (this.#resolveOpening = resolve)))
    return this.#opening
  }

  /**
   * Passes every message of `topic` to `listener`, until the returned function is called. With `since`, a time of the
   * local clock, also a message that has come since then without a listener: it may overtake the reply that tells its
   * receiver to wait for it.
   */
  listen(topic: string, listener: Listener, since: number = Infinity): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set()
    if (this.#listeners.size === 0) this.#restsSince = this.#clock.now()
    this.#listeners.set(topic, listeners.add(listener))
    this.#scheduleHeartbeat()
    const kept = this.#kept.get(topic)
    if (kept !== undefined && kept.receivedAt >= since) listener(kept.payload)
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#listeners.get(topic) === listeners) this.#listeners.delete(topic)
    }
  }

  /** Listens to more channels. `onHears` reports from when on. */
  hear(channels: readonly string[]): void {
    runOutside(() => this.#subscriber.add(channels))
  }

  /** Stops listening to them. */
  leave(channels: readonly string[]): void {
    this.#subscriber.remove(channels)
  }

  /**
   * Marks that a question is under way. Its answer may say that a message must be waited for. Call the returned function
   * when the answer has been processed. A waiter must `listen` before the promises of that turn of the event loop have
   * run. Until then every message without a listener is kept, however many there are.
   */
  ask(): () => void {
    const question = { askedAt: this.#clock.now() }
    this.#questions.add(question)
    return () => {
      this.#clock.setImmediate(() => {
        this.#questions.delete(question)
        this.#dropKept()
      })
    }
  }

  /**
   * Calls `listener` whenever messages may have been missed, until the returned function is called. Calls it at once if
   * messages may have been missed since `since`.
   */
  onReset(listener: () => void, since: number = Infinity): () => void {
    this.#resetListeners.add(listener)
    if (this.#resetAt >= since) listener()
    return () => this.#resetListeners.delete(listener)
  }

  /** Tells every waiter to check by itself. */
  interrupt(): void {
    this.#reset()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#heartbeat?.cancel()
    this.#listeners.clear()
    this.#resetListeners.clear()
    this.#kept.clear()
    this.#resolveOpening?.()
    this.#subscriber.close()
    if (this.#shard === undefined) this.#connection.close() // otherwise it belongs to another inbox
  }

  #noteReady(channels: readonly string[]): void {
    this.#resolveOpening?.()
    this.#opening = undefined
    this.#resolveOpening = undefined
    if (this.#isNeeded) this.#scheduleHeartbeat()
    if (this.#shard !== undefined) this.#beat() // we may listen to it, but perhaps not publish
    this.#broadcast?.onSync?.(this.#hasBeenReady ? 'again' : 'first')
    this.#hasBeenReady = true
    this.#broadcast?.onHears?.(channels)
    this.#reset()
  }

  #noteLost(): void {
    if (this.#closed) return
    this.#broadcast?.onSync?.('lost')
    this.#reset()
  }

  #reset(): void {
    this.#resetAt = this.#clock.now()
    for (const listener of [...this.#resetListeners]) listener()
  }

  /** A message is the length of its topic, a colon, the topic, and the payload. */
  #receive(channel: Buffer, message: Buffer): void {
    if (this.#broadcast !== undefined) {
      const name = channel.toString()
      if (name === TRACKING_CHANNEL) return this.#broadcast.tracking?.onChange(changedKeys(message))
      if (name !== this.#channel) return this.#broadcast.onMessage(message, name)
    }
    let topicStart = 0
    let topicLength = 0
    // Digit by digit, because converting bytes to text takes longer than everything else.
    for (let byte = message[topicStart++]; byte !== COLON; byte = message[topicStart++]) {
      if (byte === undefined) return
      topicLength = topicLength * 10 + (byte - ZERO)
    }
    const topicEnd = topicStart + topicLength
    if (topicEnd > message.length) return
    const topic = message.toString('utf8', topicStart, topicEnd)
    const listeners = this.#listeners.get(topic)
    if (listeners !== undefined) for (const listener of [...listeners]) listener(message.subarray(topicEnd))
    else if (topic !== HEARTBEAT_TOPIC) this.#keep(topic, message.subarray(topicEnd))
  }

  #keep(topic: string, payload: Buffer): void {
    if (this.#questions.size === 0) return this.#broadcast?.onUnheard?.(topic, payload)
    this.#kept.delete(topic) // so that the order of insertion stays that of arrival
    this.#kept.set(topic, { payload, receivedAt: this.#clock.now() })
  }

  /** A message from before the oldest question cannot be an answer. */
  #dropKept(): void {
    for (const { askedAt } of this.#questions) {
      for (const [topic, { receivedAt }] of this.#kept) {
        if (receivedAt >= askedAt) return
        this.#drop(topic)
      }
      return
    }
    for (const topic of this.#kept.keys()) this.#drop(topic)
  }

  #drop(topic: string): void {
    const { payload } = this.#kept.get(topic) as Kept
    this.#kept.delete(topic)
    this.#broadcast?.onUnheard?.(topic, payload)
  }

  /** Whether anybody relies on messages. */
  get #isNeeded(): boolean {
    return !this.#closed && (this.#listeners.size > 0 || this.#broadcast !== undefined)
  }

  /** Leaves a timer that is set too early: it finds nothing to do and is set again. */
  #scheduleHeartbeat(): void {
    const at = this.#heartbeatDueAt
    if (at >= this.#heartbeatAt) return
    this.#heartbeat?.cancel()
    this.#heartbeatAt = at
    this.#heartbeat = this.#clock.setTimeout(() => this.#wake(), at - this.#clock.now(), { keepAlive: false })
  }

  get #heartbeatDueAt(): number {
    const since = Math.max(this.#subscriber.line.quietSince, this.#restsSince)
    return since + (this.#listeners.size > 0 ? HEARTBEAT : IDLE_HEARTBEAT)
  }

  #wake(): void {
    this.#heartbeatAt = Infinity
    if (!this.#isNeeded) return
    if (this.#clock.now() >= this.#heartbeatDueAt) this.#beat()
    this.#scheduleHeartbeat()
  }

  #beat(): void {
    this.#restsSince = this.#clock.now()
    if (!this.ready) return
    this.#subscriber.line
      .beat(() => this.#sendHeartbeat())
      .catch((error: unknown) => {
        if (this.#shard !== undefined) this.#onFailure?.(error) // there is another way than through the shard
      })
  }

  /** In the format in which others publish messages. */
  #sendHeartbeat(): Promise<unknown> {
    const message = inboxMessage(HEARTBEAT_TOPIC)
    if (this.#shard === undefined) return this.#connection.command('publish', this.#channel, message)
    return this.#connection.run(heartbeat, [`{${this.#shard.tag}}`], [this.#channel, message])
  }
}

/** The message of the tracking channel is a list, which ioredis passes on as it is. After FLUSHALL it is empty. */
function changedKeys(message: unknown): string[] | undefined {
  return Array.isArray(message) ? message.map(String) : undefined
}
