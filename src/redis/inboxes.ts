import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import { isForbidden } from './client-error.ts'
import type { Shard } from './client-port.ts'
import type { Connection } from './connection.ts'
import { hashedPart, hashSlot } from './hash-slot.ts'
import { Inbox, type InboxParts } from './inbox.ts'

/**
 * Where this process receives the results of others' refills from one Redis: in one inbox or, on a Cluster, in one for each
 * master that it has had to wait for. What a script publishes to a shard goes to those who listen there; what it publishes
 * to all goes from node to node first.
 */
export class Inboxes {
  /** For all other messages, and for those of keys whose shard is not listened to, or not yet. */
  readonly main: Inbox
  readonly #connection: Connection
  readonly #clock: Clock
  readonly #random: Random
  /** By node. */
  readonly #ofShards = new Map<string, { readonly shard: Shard; readonly inbox: Inbox }>()
  /** Whether the server is older than Redis 7, or the user may not. */
  #isImpossible = false

  constructor(connection: Connection, clock: Clock, random: Random, parts: InboxParts = {}) {
    this.main = new Inbox(connection, clock, random, parts)
    this.#connection = connection
    this.#clock = clock
    this.#random = random
  }

  /** Where the result of a refill of this key of Redis had better be sent. */
  of(key: string): Inbox {
    if (this.#ofShards.size === 0) return this.main
    const shard = this.#shardOf(key)
    const known = shard && this.#ofShards.get(shard.node)
    return known?.shard === shard && known?.inbox.ready === true ? known.inbox : this.main
  }

  /**
   * Hands the messages of `topic` about this key to `listener`, also what has come since the instant `since`, and calls
   * `onReset` whenever one may have been missed, until the returned function is called. On a Cluster the next will come by
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
    // What was asked when the shard was not listened to may have been told to send it to all.
    if (ofShard === undefined || ofShard.readySince > since) listenTo(this.main)
    if (ofShard?.hasBeenReady === true) listenTo(ofShard)
    return () => {
      for (const stop of stops) stop()
    }
  }

  /** Sends everyone who waits to look for itself. */
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

  /** The node may be gone: whoever waits for another key of its slots finds its successor. */
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

/** Whether the server does not know how to, or the user may not, now and later. */
function isForGood(error: unknown): boolean {
  const { cause = error } = error as { cause?: unknown }
  return isForbidden(cause) || (cause instanceof Error && /unknown command/i.test(cause.message))
}
