import type { ClientPort, ClientStatus, PortListener, Shard } from '../client-port.ts'
import type { NodeRedisClient, NodeRedisCluster } from './node-redis-client.ts'
import { NodeRedisPort, noteEnd, type Events, type Mapping, type Word } from './node-redis-port.ts'
import { Shards } from './shards.ts'

interface KnownOptions {
  readonly keyPrefix?: string | Buffer
}

type Master = NodeRedisCluster['masters'][number]
type Slots = readonly ({ readonly master: Master } | undefined)[]

/** `createCluster()`. */
export class NodeRedisClusterPort extends NodeRedisPort<NodeRedisCluster> {
  override readonly isCluster = true
  readonly label = 'redis cluster'
  readonly db = '0'
  /** It refuses commands until it knows the nodes. */
  readonly queues = false
  readonly #shards = new Shards((slot) => addressOf((this.client.slots as Slots)[slot]?.master))

  get keyPrefix(): string {
    return (this.client._options as KnownOptions).keyPrefix?.toString() ?? ''
  }

  get status(): ClientStatus {
    const { isOpen, masters, isReady = masters.length > 0 } = this.client
    if (!isOpen) return 'ended'
    return isReady ? 'ready' : 'connecting'
  }

  override masters(): readonly ClientPort[] {
    return this.client.masters.map((master) => new NodeRedisMasterPort(this.client, master))
  }

  protected transmit(words: Word[], mapping: Mapping, firstKey: Word | undefined): Promise<unknown> {
    return this.client.sendCommand(firstKey, false, words, mapping) as Promise<unknown>
  }

  protected events(listener: PortListener): Events {
    return [
      ['connect', () => listener.onReady()],
      ['disconnect', () => noteEnd(listener)],
      ['node-error', (error) => listener.onError(error)],
      ['node-reconnecting', () => listener.onNodeLost()],
      ['node-disconnect', () => listener.onNodeLost()],
    ]
  }

  shardOf(slot: number): Shard | undefined {
    return this.#shards.of(slot)
  }

  /** A message published anywhere arrives everywhere, unless it is published to one shard. */
  protected single(attempt: number, shard?: Shard): Promise<NodeRedisClient> {
    const masters = this.client.masters.filter((master) => shard === undefined || addressOf(master) === shard.node)
    const master = masters[attempt % masters.length]
    if (master === undefined) throw new Error('no node of the Cluster is known yet')
    return connectionTo(this.client, master)
  }
}

/** One master of a Cluster. */
class NodeRedisMasterPort extends NodeRedisPort<NodeRedisCluster> {
  readonly keyPrefix = ''
  readonly db = '0'
  readonly queues = true
  readonly label: string
  readonly #master: Master

  constructor(cluster: NodeRedisCluster, master: Master) {
    super(cluster)
    this.#master = master
    this.label = `redis ${master.host}:${master.port}`
  }

  get status(): ClientStatus {
    return this.client.isOpen ? 'ready' : 'ended'
  }

  protected async transmit(words: Word[], mapping: Mapping): Promise<unknown> {
    return (await this.single()).sendCommand(words, mapping) as Promise<unknown>
  }

  /** The Cluster reports the events of its nodes. */
  protected events(): Events {
    return []
  }

  protected single(): Promise<NodeRedisClient> {
    return connectionTo(this.client, this.#master)
  }
}

function addressOf(master: Master | undefined): string | undefined {
  return master && `${master.host}:${master.port}`
}

/** The Cluster's own connection to one of its nodes, opened if necessary. */
async function connectionTo(cluster: NodeRedisCluster, master: Master): Promise<NodeRedisClient> {
  return (await cluster.nodeClient(master)) as NodeRedisClient
}
