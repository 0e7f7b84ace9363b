import type { ClientStatus, PortListener } from '../client-port.ts'
import type { NodeRedisClient, NodeRedisPool } from './node-redis-client.ts'
import { mustBeDatabase, NodeRedisPort, type Events, type Mapping, type Word } from './node-redis-port.ts'
import { lentBy, SharedLease, type Lent } from './shared-lease.ts'

/** `createClientPool()`. */
export class NodeRedisPoolPort extends NodeRedisPort<NodeRedisPool> {
  readonly label = 'redis pool'
  readonly queues = true
  readonly db: string
  readonly #lease: SharedLease<NodeRedisClient>

  constructor(pool: NodeRedisPool) {
    super(pool)
    this.db = databaseOf(pool)
    this.#lease = new SharedLease(() => this.#lend())
  }

  get keyPrefix(): string {
    const { _keyPrefix } = this.client as { _keyPrefix?: string | Buffer }
    return _keyPrefix?.toString() ?? ''
  }

  /** It does not say whether its clients are connected. */
  get status(): ClientStatus {
    return this.client.isOpen && !this.client.isClosing ? 'unknown' : 'ended'
  }

  protected transmit(words: Word[], mapping: Mapping): Promise<unknown> {
    return this.#lease.use((client) => client.sendCommand(words, mapping) as Promise<unknown>)
  }

  /** When a client is lost, it reports only the error. */
  protected events(listener: PortListener): Events {
    return [['error', () => listener.onNodeLost()]]
  }

  protected single(): Promise<NodeRedisClient> {
    return this.#lease.use((client) => Promise.resolve(client))
  }

  async #lend(): Promise<Lent<NodeRedisClient>> {
    const lent = await lentBy<NodeRedisClient>((use) => this.client.execute(use))
    mustBeDatabase(this, lent, 'of a pool must be named by its option `database`, not by its url')
    return lent
  }
}

/** A pool hides its options. Its identity starts with host, port and the option `database`. */
function databaseOf({ identity }: NodeRedisPool): string {
  return /\/(\d+)-[0-9a-f]+$/.exec(identity.id)?.[1] ?? '0'
}
