import type { Clock, Timer } from '../clock.ts'
import { ClosedError } from '../errors.ts'
import { runOutside } from '../outside.ts'
import type { Random } from '../random.ts'
import type { RedisClient } from './client.ts'
import type { Connection } from './connection.ts'

const CHANNEL_PREFIX = 'herdlock:inbox:'
/**
 * While somebody waits, and has heard nothing for so many ms, a message to ourselves goes round: a half-open subscriber
 * looks healthy.
 */
const HEARTBEAT = 1000
/** While nobody waits, but memory relies on being told of changes. */
const IDLE_HEARTBEAT = 5000
const HEARTBEAT_TOPIC = ''

const COLON = 0x3a
const ZERO = 0x30

/** Messages that nobody listens for are kept for so many ms, and so many of them, for whoever is about to. */
const KEPT_FOR = 1000
const KEPT = 100

type Listener = (payload: Buffer) => void

/** What an inbox hears besides its own messages. */
export interface Broadcast {
  /** A channel that all processes listen to. */
  readonly channel: string
  onMessage(message: Buffer): void
  /** Changes of keys that begin with `prefix`, whoever makes them: Redis's server-assisted caching (CLIENT TRACKING). */
  readonly tracking?: {
    readonly prefix: string
    /** The keys that changed, or `undefined` when all may have. */
    onChange(keys: readonly string[] | undefined): void
    onFailure(error: unknown): void
  }
}

/** Where Redis tells a client of protocol 2 what has changed. */
const TRACKING_CHANNEL = '__redis__:invalidate'

/**
 * Where this process receives its messages from other processes: one subscriber connection, opened at the first need.
 *
 * Delivery is best effort, as Redis's is. Whenever messages may have been missed, `onReset` callbacks run, and whoever
 * waits must look for itself; nobody may wait for a message without a timer of its own behind it.
 */
export class Inbox {
  /** Names this process to others: they publish to the channel of this id. */
  readonly id: string
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #channel: string
  readonly #broadcast: Broadcast | undefined
  /** By topic: more than one where a wait that was revoked goes on beside its successor. */
  readonly #listeners = new Map<string, Set<Listener>>()
  readonly #resetListeners = new Set<() => void>()
  /** Topic → last message that nobody listened for, the oldest first. */
  readonly #kept = new Map<string, { readonly payload: Buffer; readonly receivedAt: number }>()
  #resetAt = -Infinity
  #subscriber: RedisClient | undefined
  #opening: Promise<void> | undefined
  #resolveOpening: (() => void) | undefined
  /** Between a confirmed SUBSCRIBE and the loss of the connection. */
  #ready = false
  #closed = false
  #heartbeat: Timer | undefined
  /** The instant for which that timer is set. */
  #heartbeatAt = Infinity
  /** When the first of those who wait now began to, or the inbox was last known to be in order. */
  #quietSince = -Infinity
  /** Set when a heartbeat leaves, cleared by whatever message arrives. */
  #awaitsHeartbeat = false

  constructor(
    connection: Connection,
    clock: Clock,
    random: Random,
    broadcast?: Broadcast,
    /** To be named where a process has several inboxes, one an instance, under one id. */
    id: string = random.token(),
  ) {
    this.id = id
    this.#connection = connection
    this.#clock = clock
    this.#channel = CHANNEL_PREFIX + this.id
    this.#broadcast = broadcast
  }

  /** Whether a message published now would arrive. */
  get ready(): boolean {
    return this.#ready
  }

  /** Opens the subscriber if need be; resolves when the inbox is ready. It never rejects but for `ClosedError`. */
  open(): Promise<void> {
    if (this.#closed) return Promise.reject(new ClosedError('inbox'))
    if (this.#ready) return Promise.resolve()
    // The connection outlives whoever happens to need it first.
    this.#subscriber ??= runOutside(() => this.#connect())
    this.#opening ??= runOutside(() => new Promise((resolve) => (this.#resolveOpening = resolve)))
    return this.#opening
  }

  /**
   * Hands every message of `topic` to `listener` until the returned function is called; with `since`, an instant of the
   * local clock, also one that has come since then and found no listener: it may overtake the reply that tells its
   * receiver to wait for it.
   */
  listen(topic: string, listener: Listener, since: number = Infinity): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set()
    if (this.#listeners.size === 0) this.#quietSince = this.#clock.now()
    this.#listeners.set(topic, listeners.add(listener))
    this.#scheduleHeartbeat()
    const kept = this.#kept.get(topic)
    if (kept !== undefined && kept.receivedAt >= since) listener(kept.payload)
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#listeners.get(topic) === listeners) this.#listeners.delete(topic)
    }
  }

  /**
   * Calls `listener` whenever messages may have been missed, until the returned function is called; at once if that was
   * so since the instant `since`.
   */
  onReset(listener: () => void, since: number = Infinity): () => void {
    this.#resetListeners.add(listener)
    if (this.#resetAt >= since) listener()
    return () => this.#resetListeners.delete(listener)
  }

  /** Sends everyone who waits to look for itself. */
  interrupt(): void {
    this.#reset()
  }

  close(): void {
    this.#closed = true
    this.#ready = false
    this.#heartbeat?.cancel()
    this.#listeners.clear()
    this.#resetListeners.clear()
    this.#kept.clear()
    this.#resolveOpening?.()
    this.#subscriber?.disconnect()
    this.#subscriber = undefined
  }

  #connect(): RedisClient {
    const subscriber = duplicate(this.#connection.client)
    subscriber.on('error', () => {})
    subscriber.on('close', () => this.#lost())
    subscriber.on('ready', () => void this.#subscribe(subscriber))
    subscriber.on('messageBuffer', (channel: Buffer, message: Buffer) => this.#receive(channel, message))
    return subscriber
  }

  async #subscribe(subscriber: RedisClient): Promise<void> {
    try {
      const channels = [this.#channel]
      if (this.#broadcast !== undefined) channels.push(this.#broadcast.channel)
      if (await this.#track(subscriber)) channels.push(TRACKING_CHANNEL)
      await subscriber.call('subscribe', ...channels)
    } catch {
      return // the connection went away: `close` has been or will be emitted, and `ready` again after it
    }
    if (this.#closed) return
    this.#ready = true
    this.#hear()
    this.#resolveOpening?.()
    this.#opening = undefined
    this.#resolveOpening = undefined
    if (this.#isNeeded) this.#scheduleHeartbeat()
    this.#reset()
  }

  /**
   * Asks Redis to tell this very connection of changes, in protocol 2, where they come as messages: of those that come
   * as pushes in protocol 3, ioredis 6 tells nobody.
   */
  async #track(subscriber: RedisClient): Promise<boolean> {
    const tracking = this.#broadcast?.tracking
    if (tracking === undefined) return false
    try {
      const id = String(await subscriber.call('client', 'id'))
      await subscriber.call('client', 'tracking', 'on', 'redirect', id, 'bcast', 'prefix', tracking.prefix)
      return true
    } catch (error) {
      tracking.onFailure(error)
      return false
    }
  }

  #lost(): void {
    if (!this.#ready) return
    this.#ready = false
    this.#reset()
  }

  #reset(): void {
    this.#resetAt = this.#clock.now()
    for (const listener of [...this.#resetListeners]) listener()
  }

  /** A message is the length of its topic, a colon, the topic, and the payload. */
  #receive(channel: Buffer, message: Buffer): void {
    this.#hear()
    if (this.#broadcast !== undefined) {
      const name = channel.toString()
      if (name === TRACKING_CHANNEL) return this.#broadcast.tracking?.onChange(changedKeys(message))
      if (name !== this.#channel) return this.#broadcast.onMessage(message)
    }
    let topicStart = 0
    let topicLength = 0
    // Digit by digit: what turns bytes into text takes longer than all the rest.
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
    const now = this.#clock.now()
    this.#kept.delete(topic) // so that the order of insertion stays that of arrival
    this.#kept.set(topic, { payload, receivedAt: now })
    for (const [oldest, { receivedAt }] of this.#kept) {
      if (this.#kept.size <= KEPT && receivedAt >= now - KEPT_FOR) break
      this.#kept.delete(oldest)
    }
  }

  /** Whether anybody relies on messages. */
  get #isNeeded(): boolean {
    return !this.#closed && (this.#listeners.size > 0 || this.#broadcast !== undefined)
  }

  #hear(): void {
    this.#awaitsHeartbeat = false
    this.#quietSince = this.#clock.now()
  }

  /** A timer that is set too early is left alone: it finds nothing to do and goes on. */
  #scheduleHeartbeat(): void {
    const at = this.#heartbeatDueAt
    if (at >= this.#heartbeatAt) return
    this.#heartbeat?.cancel()
    this.#heartbeatAt = at
    this.#heartbeat = this.#clock.setTimeout(() => this.#wake(), at - this.#clock.now(), { keepAlive: false })
  }

  get #heartbeatDueAt(): number {
    return this.#quietSince + (this.#listeners.size > 0 ? HEARTBEAT : IDLE_HEARTBEAT)
  }

  #wake(): void {
    this.#heartbeatAt = Infinity
    if (!this.#isNeeded) return
    if (this.#clock.now() >= this.#heartbeatDueAt) this.#beat()
    this.#scheduleHeartbeat()
  }

  #beat(): void {
    this.#quietSince = this.#clock.now()
    if (!this.#ready) return
    if (this.#awaitsHeartbeat) {
      this.#lost()
      this.#subscriber?.disconnect(true)
    } else {
      this.#awaitsHeartbeat = true
      const message = `${HEARTBEAT_TOPIC.length}:${HEARTBEAT_TOPIC}`
      this.#connection.command('publish', this.#channel, message).catch(() => {})
    }
  }
}

/** The message of the tracking channel is a list, which ioredis hands on as it is; or nothing, after FLUSHALL. */
function changedKeys(message: unknown): string[] | undefined {
  return Array.isArray(message) ? message.map(String) : undefined
}

/** A connection like the user's, except that it must reconnect for ever and never give up a command early. */
function duplicate(client: RedisClient): RedisClient {
  const options = {
    connectionName: 'herdlock-inbox',
    lazyConnect: false,
    enableOfflineQueue: true,
    autoResubscribe: false,
    protocol: 2, // ioredis 6 has two; of this one only are there messages of tracking
    maxRetriesPerRequest: null,
    reconnectOnError: null,
    retryStrategy: (attempt: number) => Math.min(attempt * 50, 1000),
    commandTimeout: undefined,
    socketTimeout: undefined,
  }
  // On a Cluster, ioredis itself keeps the subscription alive from node to node.
  if (!client.isCluster) return client.duplicate(options)
  return client.duplicate([], {
    lazyConnect: false,
    enableOfflineQueue: true,
    clusterRetryStrategy: (attempt: number) => Math.min(attempt * 50, 1000),
  })
}
