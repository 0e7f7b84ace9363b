import type { ClientStatus, PortListener } from '../client-port.ts'
import type { NodeRedisClient, NodeRedisSentinel } from './node-redis-client.ts'
import {
  comingAndGoing,
  mustBeDatabase,
  NodeRedisPort,
  type Events,
  type Mapping,
  type Word,
} from './node-redis-port.ts'
import { lentBy, SharedLease, type Lent } from './shared-lease.ts'

interface KnownOptions {
  readonly name?: string
  readonly keyPrefix?: string | Buffer
  readonly nodeClientOptions?: { readonly database?: number }
}

/** `createSentinel()`. */
export class NodeRedisSentinelPort extends NodeRedisPort<NodeRedisSentinel> {
  /** It waits for a master by itself. */
  readonly queues = true
  readonly label: string
  readonly #options: KnownOptions
  readonly #lease: SharedLease<NodeRedisClient>

  constructor(sentinel: NodeRedisSentinel) {
    super(sentinel)
    const options = optionsOf(sentinel)
    this.#options = options ?? {}
    this.label = options === undefined ? 'redis sentinel' : `redis sentinel ${options.name}`
    this.#lease = new SharedLease(() => this.#lend())
  }

  get keyPrefix(): string {
    return this.#options.keyPrefix?.toString() ?? ''
  }

  get db(): string {
    return String(this.#options.nodeClientOptions?.database ?? 0)
  }

  get status(): ClientStatus {
    if (this.client.isReady) return 'ready'
    return this.client.isOpen ? 'connecting' : 'ended'
  }

  protected transmit(words: Word[], mapping: Mapping): Promise<unknown> {
    return this.#lease.use((client) => client.sendCommand(words, mapping) as Promise<unknown>)
  }

  protected events(listener: PortListener): Events {
    return [
      ...comingAndGoing(listener),
      // For new connections to servers and for a new master: commands may be sent again.
      ['client-error', (event) => this.#noteLoss(listener, (event as { error?: unknown }).error)],
      ['topology-change', () => listener.onNodeLost()],
    ]
  }

  /** A client of the current master. `acquire` would take longer than a thousand commands. */
  async #lend(): Promise<Lent<NodeRedisClient>> {
    const lent = await lentBy<NodeRedisClient>((use) => this.client._execute(false, use))
    mustBeDatabase(this, lent, 'of nodeClientOptions must be 0 with version 5 of node-redis')
    return lent
  }

  #noteLoss(listener: PortListener, error: unknown): void {
    listener.onError(error)
    listener.onNodeLost()
  }

  /** A client of the current master, because a Sentinel's own subscriptions move to another one silently. */
  protected single(): Promise<NodeRedisClient> {
    return this.#lease.use((client) => Promise.resolve(client))
  }
}

/**
 * A Sentinel client hides its options and passes them only to a duplicate. This duplicate just keeps them. Version 5 has
 * none.
 */
function optionsOf(sentinel: NodeRedisSentinel): KnownOptions | undefined {
  class Duplicate {
    readonly options: KnownOptions
    constructor(options: KnownOptions) {
      this.options = options
    }
  }
  const { _self } = sentinel as { _self?: unknown }
  const stranger: unknown = Object.assign(Object.create({ constructor: Duplicate }) as object, { _self })
  return (sentinel.duplicate?.call(stranger as NodeRedisSentinel) as Duplicate | undefined)?.options
}
