import type { ClientStatus, PortListener } from '../client-port.ts'
import type { NodeRedisClient } from './node-redis-client.ts'
import { comingAndGoing, NodeRedisPort, type Events, type Mapping, type Word } from './node-redis-port.ts'

interface KnownOptions {
  readonly socket?: { readonly host?: string; readonly port?: number; readonly path?: string }
  readonly database?: number
  readonly keyPrefix?: string | Buffer
  readonly disableOfflineQueue?: boolean
}

/** `createClient()`. */
export class NodeRedisSinglePort extends NodeRedisPort<NodeRedisClient> {
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

  /** A client that is not open was never connected, or was closed. In both cases the application has to act. */
  get status(): ClientStatus {
    if (this.client.isReady) return 'ready'
    return this.client.isOpen ? 'connecting' : 'ended'
  }

  get #options(): KnownOptions {
    return (this.client.options ?? {}) as KnownOptions
  }

  protected transmit(words: Word[], mapping: Mapping): Promise<unknown> {
    return this.client.sendCommand(words, mapping) as Promise<unknown>
  }

  protected events(listener: PortListener): Events {
    return comingAndGoing(listener)
  }

  protected single(): NodeRedisClient {
    return this.client
  }
}
