import type { Corkable } from './gather-writes.ts'

/** One word of a command. */
export type Argument = string | number | Buffer

/** Whether the texts of a reply come as strings or as Buffers. */
export type ReplyKind = 'text' | 'bytes'

/**
 * The state of a client's connection: `idle` before a lazy connection, `ended` after the last one, `unknown` if a client
 * does not say.
 */
export type ClientStatus = 'idle' | 'connecting' | 'ready' | 'ended' | 'unknown'

/** Gets the events of a client's connection. */
export interface PortListener {
  /** It is connected, for the first time or again. */
  onReady(): void
  /** A connection, or an attempt at one, has ended. */
  onClose(): void
  /** An error of a connection or of an attempt. */
  onError(error: unknown): void
  /** An attempt to connect begins. */
  onConnecting(): void
  /** It has ended, because the application closed it or because it gave up. */
  onEnd(): void
  /** A Cluster has dropped the connection to one of its nodes. */
  onNodeLost(): void
}

/** A master of a Cluster that can be listened to separately. */
export interface Shard {
  /** Where it is. */
  readonly node: string
  /** A hash tag of one of its slots. Channels whose names have this tag belong to this master. */
  readonly tag: string
}

/** What kind of messages a connection is for. */
export interface MessageKind {
  /** The shard where it listens to SPUBLISH (Redis 7) instead of PUBLISH. */
  readonly shard?: Shard | undefined
  /** Also receives Redis's own messages about changed keys with this prefix (CLIENT TRACKING). */
  readonly tracking?:
    | {
        readonly prefix: string
        onFailure(error: unknown): void
      }
    | undefined
}

/** The events of a connection for messages. */
export interface MessageHooks {
  /** It is connected, and channels can be subscribed to. Called at most once. */
  onReady(): void
  onMessage(channel: Buffer, message: Buffer): void
  /** It has ended. Called once, but not after `close`. */
  onEnd(error: unknown): void
}

/** One connection for messages, from `onReady` on. */
export interface MessageLink {
  /** Resolves when messages on these channels arrive. Rejects if Redis refuses; then no messages of them arrive. */
  subscribe(channels: readonly string[]): Promise<unknown>
  unsubscribe(channels: readonly string[]): void
  close(): void
}

/** The channel on which Redis announces changes to a client of protocol 2. */
export const TRACKING_CHANNEL = '__redis__:invalidate'

/** A Redis or a Cluster, reached through the application's client. This is all that herdlock knows about clients. */
export interface ClientPort {
  readonly isCluster: boolean
  /** The name of the instance in messages: where it is, never its credentials. */
  readonly label: string
  /** The prefix that the client adds to every key on the wire. It counts for the Cluster slot. */
  readonly keyPrefix: string
  /** Number of the database. */
  readonly db: string
  /** Whether plain reads may go to a replica, which may lag behind. */
  readonly readsFromReplicas: boolean
  /** Whether the client queues commands that are sent before it is connected. */
  readonly queues: boolean
  readonly status: ClientStatus
  /** ms after which the client itself gives a command up; undefined if it never does. */
  readonly commandTimeout?: number | undefined
  /** The socket; a Cluster has none. */
  readonly stream: Corkable | undefined
  /** Sends one separate command, in the order of calls, whatever the client's options are. */
  send(as: ReplyKind, name: string, args: readonly Argument[]): Promise<unknown>
  /** Connects a client that is `idle`. */
  connect(): void
  /** The masters of a Cluster, in a stable order; otherwise the client itself. */
  masters(): readonly ClientPort[] | Promise<readonly ClientPort[]>
  /** Reports when the client connects and disconnects, until the returned function is called. */
  listen(listener: PortListener): () => void
  /** On a Cluster: the master that has that slot, if the client knows it and can listen to it separately. */
  shardOf?(slot: number): Shard | undefined
  /**
   * Opens one connection for messages, with the client's current credentials. It does not reconnect: its loss is
   * reported, and the caller opens another one if needed. `attempt`: its number, from 0. Throws what the client's
   * `duplicate` throws.
   */
  openMessages(attempt: number, kind: MessageKind, hooks: MessageHooks): MessageLink
}

/**
 * The name of a channel for clients with this database and this `keyPrefix`. Redis's own channels know neither, but
 * messages of one must not reach the other. With the defaults it is `name` itself.
 */
export function channelOf({ keyPrefix, db }: ClientPort, name: string): string {
  if (keyPrefix === '' && db === '0') return name
  return `${name}:${encodeURIComponent(keyPrefix.toWellFormed())}:${db}`
}
