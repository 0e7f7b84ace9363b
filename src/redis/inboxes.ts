import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import { isForbidden } from './client-error.ts'
import type { Shard } from './client-port.ts'
import type { Connection } from './connection.ts'
import { hashedPart, hashSlot } from './hash-slot.ts'
import { Inbox, type InboxParts } from './inbox.ts'

/**
 * Receives the results of other processes' refills from one Redis: in one inbox or, on a Cluster, in one for each master
 * that this process has had to wait for. A message that a script publishes to a shard goes only to its listeners. A
 * message to all goes from node to node first.
 */
export class Inboxes {
  /** For all other messages, and for keys whose shard is not listened to yet. */
  readonly main: Inbox
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #random: Random
  /** Node → its shard and inbox. */
  readonly #ofShards = new Map<string, { readonly shard: Shard; readonly inbox: Inbox }>()
  /** Whether the server is older than Redis 7, or the user lacks the right. */
  #isImpossible = false

  constructor(connection: Connection, clock: Clock, random: Random, parts: InboxParts = {}) {
    this.main = new Inbox(connection, clock, random, parts)
    this.#connection = connection
    this.#clock = clock
    this.#random = random
  }

  /** The best address for the result of a refill of this key in Redis. */
  of(key: string): Inbox {
    if (this.#ofShards.size === 0) return this.main
    const shard = this.#shardOf(key)
    const known = shard && this.#ofShards.get(shard.node)
    return known?.shard === shard && known?.inbox.ready === true ? known.inbox : this.main
  }

  /**
   * Passes the messages of `topic` about this key to `listener`, including those since `since`, and calls `onReset`
   * whenever one may have been missed, until the returned function is called. On a Cluster, later messages come through
   * the key's shard, if that is possible.
   */
  listen(
    key: string,
    topic: string,
    since: number,
    listener: (payload: Buffer) => void,
    onReset: () => void,
  ): () => void {
    const stops: (() => unknown)[] = []
    const listenTo = (inbox: Inbox): void => {
      stops.push(inbox.listen(topic, listener, since), inbox.onReset(onReset, since))
    }
    const ofShard = this.#openShard(key)
    // A question from before the shard was listened to may have named the address for all.
    if (ofShard === undefined || ofShard.readySince > since) listenTo(this.main)
    if (ofShard?.hasBeenReady === true) listenTo(ofShard)
    return () => {
      for (const stop of stops) stop()
    }
  }

  /** Tells every waiter to check by itself. */
  interrupt(): void {
    this.main.interrupt()
    for (const { inbox } of this.#ofShards.values()) inbox.interrupt()
  }

  close(): void {
    this.#closeShards()
    this.#isImpossible = true
    this.main.close()
  }

  #shardOf(key: string): Shard | undefined {
    const { client } = this.#connection
    return client.shardOf?.(hashSlot(hashedPart(client.keyPrefix + key)))
  }

  #openShard(key: string): Inbox | undefined {
    if (this.#isImpossible || !this.#connection.client.isCluster) return undefined
    const shard = this.#shardOf(key)
    if (shard === undefined) return undefined
    const known = this.#ofShards.get(shard.node)
    if (known?.shard === shard) return known.inbox
    this.#closeShard(shard.node) // its slots have moved
    const inbox = new Inbox(this.#connection, this.#clock, this.#random, {
      ...{ id: this.main.id, shard },
      onFailure: (error) => this.#noteFailure(shard.node, error),
    })
    this.#ofShards.set(shard.node, { shard, inbox })
    inbox.open().catch(() => {})
    return inbox
  }

  /** The node may be gone. The next wait for a key of its slots finds its successor. */
  #noteFailure(node: string, error: unknown): void {
    if (!isForGood(error)) return this.#closeShard(node)
    this.#isImpossible = true
    this.#closeShards()
  }

  #closeShards(): void {
    for (const node of this.#ofShards.keys()) this.#closeShard(node)
  }

  #closeShard(node: string): void {
    const inbox = this.#ofShards.get(node)?.inbox
    this.#ofShards.delete(node)
    inbox?.interrupt()
    inbox?.close()
  }
}

/** Whether the server does not support it, or the user lacks the right, now and later. */
function isForGood(error: unknown): boolean {
  const { cause = error } = error as { cause?: unknown }
  return isForbidden(cause) || (cause instanceof Error && /unknown command/i.test(cause.message))
}
