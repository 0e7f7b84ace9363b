import { errorMonitor } from 'node:events'

import type {
  Argument,
  ClientPort,
  ClientStatus,
  MessageHooks,
  MessageKind,
  MessageLink,
  PortListener,
  ReplyKind,
  Shard,
} from '../client-port.ts'
import type { Corkable } from '../gather-writes.ts'
import type { IoredisClient } from './ioredis-client.ts'
import { openIoredisMessages } from './ioredis-messages.ts'
import { IoredisSender } from './ioredis-sender.ts'
import { Shards } from './shards.ts'

interface KnownOptions {
  host?: unknown
  port?: unknown
  path?: unknown
  name?: unknown
  sentinels?: unknown
  keyPrefix?: unknown
  db?: unknown
  scaleReads?: unknown
  enableOfflineQueue?: unknown
  commandTimeout?: number
  /** On a Cluster: the options of its nodes. */
  redisOptions?: { commandTimeout?: number }
}

export function isIoredis(client: unknown): client is IoredisClient {
  const known = client as Partial<IoredisClient> | null | undefined
  return typeof known?.createBuiltinCommand === 'function' && typeof known.duplicate === 'function'
}

/** ioredis 5 and 6, and clients with the same methods. */
export class IoredisPort implements ClientPort {
  readonly #client: IoredisClient
  readonly #sender: IoredisSender
  readonly #nodes = new WeakMap<IoredisClient, ClientPort>()
  readonly #shards = new Shards((slot) => this.#client.slots?.[slot]?.[0])

  constructor(client: IoredisClient) {
    this.#client = client
    this.#sender = new IoredisSender(client)
  }

  get isCluster(): boolean {
    return this.#client.isCluster === true
  }

  get label(): string {
    const { host, port, path, name, sentinels } = this.#options
    if (this.isCluster) return 'redis cluster'
    if (Array.isArray(sentinels) && sentinels.length > 0) return `redis sentinel ${String(name)}`
    if (typeof path === 'string') return `redis ${path}`
    return `redis ${String(host)}:${String(port)}`
  }

  get keyPrefix(): string {
    const { keyPrefix } = this.#options
    if (typeof keyPrefix === 'string') return keyPrefix
    return Buffer.isBuffer(keyPrefix) ? keyPrefix.toString() : ''
  }

  get db(): string {
    const { db = 0 } = this.#options
    return String(db)
  }

  get readsFromReplicas(): boolean {
    const { scaleReads = 'master' } = this.#options
    return this.isCluster && scaleReads !== 'master'
  }

  get queues(): boolean {
    return this.#options.enableOfflineQueue !== false
  }

  get status(): ClientStatus {
    const { status } = this.#client
    if (status === undefined) return 'unknown'
    if (status === 'ready') return 'ready'
    if (status === 'wait') return 'idle'
    return status === 'end' ? 'ended' : 'connecting'
  }

  get commandTimeout(): number | undefined {
    const { commandTimeout, redisOptions } = this.#options
    return this.isCluster ? redisOptions?.commandTimeout : commandTimeout
  }

  get stream(): Corkable | undefined {
    return this.#client.stream
  }

  get #options(): KnownOptions {
    return this.#client.options as KnownOptions
  }

  send(as: ReplyKind, name: string, args: readonly Argument[]): Promise<unknown> {
    return this.#sender.send(as, name, args)
  }

  connect(): void {
    this.#client.connect?.().catch(() => {})
  }

  masters(): readonly ClientPort[] {
    const nodes = this.#client.nodes?.('master')
    if (nodes === undefined) return [this]
    return nodes.map((node) => {
      const port = this.#nodes.get(node) ?? new IoredisPort(node)
      this.#nodes.set(node, port)
      return port
    })
  }

  listen(listener: PortListener): () => void {
    const client = this.#client
    const onError = (error: unknown): void => listener.onError(error)
    // Listening to `error` itself would stop ioredis from printing errors that nobody else listens to.
    const events = new Map<string | symbol, (error: unknown) => void>([
      [errorMonitor, onError],
      ['node error', onError],
      ['ready', () => listener.onReady()],
      [
        'close',
        () => {
          // If nobody listens to `error`, ioredis prints it and emits nothing.
          const { errored } = client.stream ?? {}
          if (errored) listener.onError(errored)
          listener.onClose()
        },
      ],
      ['connecting', () => listener.onConnecting()],
      ['end', () => listener.onEnd()],
      ['-node', () => listener.onNodeLost()],
    ])
    for (const [event, on] of events) client.on(event as string, on)
    return () => {
      for (const [event, on] of events) client.off(event as string, on)
    }
  }

  shardOf(slot: number): Shard | undefined {
    return this.#shards.of(slot)
  }

  openMessages(attempt: number, kind: MessageKind, hooks: MessageHooks): MessageLink {
    return openIoredisMessages(this.#client, attempt, kind, hooks)
  }
}
