import { errorMonitor } from 'node:events'

import type {
  Argument,
  ClientPort,
  ClientStatus,
  MessageHooks,
  PortListener,
  ReplyKind,
  Subscription,
} from '../client-port.ts'
import type { NodeRedisClient } from './node-redis-client.ts'
import { openNodeRedisMessages } from './node-redis-messages.ts'

interface KnownOptions {
  readonly socket?: { readonly host?: string; readonly port?: number; readonly path?: string }
  readonly database?: number
  readonly keyPrefix?: string | Buffer
  readonly disableOfflineQueue?: boolean
}

/** A single client; its pools, Clusters and Sentinels have other methods. */
export function isNodeRedis(client: unknown): client is NodeRedisClient {
  return isOfNodeRedis(client) && typeof client.isReady === 'boolean' && !NOT_SINGLE.some((name) => name in client)
}

export function isOfNodeRedis(client: unknown): client is NodeRedisClient {
  const known = client as Partial<NodeRedisClient> | null | undefined
  return typeof known?.sendCommand === 'function' && typeof known.duplicate === 'function'
}

/** Members of a Cluster's client, a Sentinel's and a pool. */
const NOT_SINGLE = ['slots', 'getSentinelNode', 'acquire', 'execute'] as const

/** What a reply's texts are made of: by default strings; the client's own mapping does not count. */
const MAPPINGS: Record<ReplyKind, object> = {
  text: { typeMapping: {} },
  // Bulk, simple and verbatim strings, by their first byte.
  bytes: { typeMapping: { 36: Buffer, 43: Buffer, 61: Buffer } },
}

/** node-redis 5 and 6. Connecting is the application's business. */
export class NodeRedisPort implements ClientPort {
  readonly isCluster = false
  readonly readsFromReplicas = false
  readonly stream = undefined
  readonly #client: NodeRedisClient

  constructor(client: NodeRedisClient) {
    this.#client = client
  }

  get label(): string {
    const { host = 'localhost', port = 6379, path } = this.#options.socket ?? {}
    return path === undefined ? `redis ${host}:${port}` : `redis ${path}`
  }

  get keyPrefix(): string {
    return this.#options.keyPrefix?.toString() ?? ''
  }

  get db(): string {
    return String(this.#options.database ?? 0)
  }

  get queues(): boolean {
    return this.#options.disableOfflineQueue !== true
  }

  /** One that is not open has not been connected, or was closed: either way the application has to act. */
  get status(): ClientStatus {
    if (this.#client.isReady) return 'ready'
    return this.#client.isOpen ? 'connecting' : 'ended'
  }

  get #options(): KnownOptions {
    return (this.#client.options ?? {}) as KnownOptions
  }

  send(as: ReplyKind, name: string, args: readonly Argument[]): Promise<unknown> {
    if (!this.#client.isOpen) {
      return Promise.reject(new Error(`${this.label} is not connected: call connect() on the client of node-redis`))
    }
    const words = withPrefix(this.keyPrefix, name, args).map((word) => (typeof word === 'number' ? String(word) : word))
    return this.#client.sendCommand([name, ...words], MAPPINGS[as]) as Promise<unknown>
  }

  connect(): void {}

  masters(): readonly ClientPort[] {
    return [this]
  }

  listen(listener: PortListener): () => void {
    const client = this.#client
    const events = new Map<string | symbol, (error: unknown) => void>([
      [errorMonitor, (error) => listener.onError(error)],
      ['ready', () => listener.onReady()],
      // After each loss, and after each attempt that has failed.
      ['reconnecting', () => listener.onClose()],
      [
        'end',
        () => {
          listener.onClose()
          listener.onEnd()
        },
      ],
    ])
    for (const [event, on] of events) client.on(event, on)
    return () => {
      for (const [event, on] of events) client.off(event, on)
    }
  }

  openMessages(_attempt: number, subscription: Subscription, hooks: MessageHooks): { close(): void } {
    return openNodeRedisMessages(this.#client, subscription, hooks)
  }
}

const NUMBER_OF_KEYS = 1
const FIRST_KEY = 2

/** Commands whose only key is their first argument, and those of which all arguments are keys. */
const ONE_KEY: ReadonlySet<string> = new Set(['get', 'set', 'getrange', 'strlen', 'pttl'])
const ALL_KEYS: ReadonlySet<string> = new Set(['mget', 'unlink', 'del'])

/** node-redis puts its `keyPrefix` before the keys of its own methods, and not of commands that are sent as they are. */
function withPrefix(prefix: string, name: string, args: readonly Argument[]): readonly Argument[] {
  if (prefix === '') return args
  const isScript = name === 'eval' || name === 'evalsha'
  const first = isScript ? FIRST_KEY : 0
  const count = isScript ? Number(args[NUMBER_OF_KEYS]) : ONE_KEY.has(name) ? 1 : ALL_KEYS.has(name) ? args.length : 0
  return args.map((word, index) => (index >= first && index < first + count ? `${prefix}${String(word)}` : word))
}
