import type { Corkable } from './gather-writes.ts'

/** One word of a command. */
export type Argument = string | number | Buffer

/** Whether the texts of a reply come as strings or as Buffers. */
export type ReplyKind = 'text' | 'bytes'

/**
 * How a client stands to its server: `idle` before a lazy connection, `ended` after the last; `unknown` where a client
 * does not say.
 */
export type ClientStatus = 'idle' | 'connecting' | 'ready' | 'ended' | 'unknown'

/** Who hears of a client's connection. */
export interface PortListener {
  /** It is connected, for the first time or again. */
  onReady(): void
  /** A connection, or an attempt at one, has ended. */
  onClose(): void
  /** What went wrong with one. */
  onError(error: unknown): void
  /** An attempt to connect begins. */
  onConnecting(): void
  /** It has ended, by the application's will or because it gives up. */
  onEnd(): void
  /** A Cluster has dropped the connection to one of its nodes. */
  onNodeLost(): void
}

/** A master of a Cluster that can be heard by itself. */
export interface Shard {
  /** Where it is. */
  readonly node: string
  /** A hash tag of one of its slots: to it belong the channels whose names have this tag. */
  readonly tag: string
}

/** What kind of messages a connection is for. */
export interface MessageKind {
  /** Where it listens to SPUBLISH, of Redis 7, and not to PUBLISH. */
  readonly shard?: Shard | undefined
  /** Also Redis's own messages about changed keys that begin so (CLIENT TRACKING). */
  readonly tracking?:
    | {
        readonly prefix: string
        onFailure(error: unknown): void
      }
    | undefined
}

/** What a connection for messages tells of itself. */
export interface MessageHooks {
  /** It is connected: from now on channels can be subscribed to. Called once at most. */
  onReady(): void
  onMessage(channel: Buffer, message: Buffer): void
  /** It is over, and nothing follows. Called once, but not after `close`. */
  onEnd(error: unknown): void
}

/** One connection for messages, from `onReady` on. */
export interface MessageLink {
  /** Resolves when messages on these channels arrive. Rejects where Redis refuses that; then none of them does. */
  subscribe(channels: readonly string[]): Promise<unknown>
  unsubscribe(channels: readonly string[]): void
  close(): void
}

/** Where Redis tells a client of protocol 2 what has changed. */
export const TRACKING_CHANNEL = '__redis__:invalidate'

/** A Redis, or a Cluster, as the application's client reaches it: all that herdlock knows of clients. */
export interface ClientPort {
  readonly isCluster: boolean
  /** How messages name the instance: where it is, never its credentials. */
  readonly label: string
  /** What the client puts before every key on the wire; it takes part in the choice of the Cluster slot. */
  readonly keyPrefix: string
  /** Number of the database. */
  readonly db: string
  /** Whether plain reads may go to a replica, which may lag behind. */
  readonly readsFromReplicas: boolean
  /** Whether commands that are sent before the client is connected wait in it. */
  readonly queues: boolean
  readonly status: ClientStatus
  /** ms after which the client gives a command up by itself; undefined where it never does. */
  readonly commandTimeout?: number | undefined
  /** The socket, which a Cluster has not. */
  readonly stream: Corkable | undefined
  /** Sends one command by itself, in the order of calls, whatever the client's options are. */
  send(as: ReplyKind, name: string, args: readonly Argument[]): Promise<unknown>
  /** Ends the waiting of a client that is `idle`. */
  connect(): void
  /** The masters of a Cluster, in an order that lasts as long as they do; else the client itself. */
  masters(): readonly ClientPort[] | Promise<readonly ClientPort[]>
  /** Tells of the client's coming and going until the returned function is called. */
  listen(listener: PortListener): () => void
  /** Of a Cluster: the master that has that slot, if the client says so and can hear it by itself. */
  shardOf?(slot: number): Shard | undefined
  /**
   * Opens one connection for messages, with what the client has for credentials now. It does not reconnect: what is lost is
   * told, and whoever wants another opens another. `attempt`: its number, from 0. Throws what the client throws at being
   * duplicated.
   */
  openMessages(attempt: number, kind: MessageKind, hooks: MessageHooks): MessageLink
}

/**
 * The name of a channel among the clients with this database and this `keyPrefix`: Redis's own channels know neither,
 * and what is told in one is no news in another. Where both are the default it is `name` itself.
 */
export function channelOf({ keyPrefix, db }: ClientPort, name: string): string {
  if (keyPrefix === '' && db === '0') return name
  return `${name}:${encodeURIComponent(keyPrefix.toWellFormed())}:${db}`
}
