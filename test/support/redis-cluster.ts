import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { eventually } from './eventually.ts'
import { findRedis } from './redis-binary.ts'
import { startRedis, type RedisServer } from './redis-server.ts'

const run = promisify(execFile)

const MASTERS = 3
const NODE_TIMEOUT = 1000

export interface RedisCluster {
  /** All six, masters first as they were created. */
  nodes: readonly RedisServer[]
  /** What a client needs to be told: `new Cluster(cluster.addresses)`. */
  addresses: { host: string; port: number }[]
  /** The node that serves `key` now. */
  masterOf(key: string): Promise<RedisServer>
  /** The nodes that are masters now, in the eyes of a node that runs. */
  masters(): Promise<RedisServer[]>
  stop(): Promise<void>
}

/** Starts a Cluster of three masters with a replica each on loopback; resolves when every node calls it ok. */
export async function startCluster(): Promise<RedisCluster> {
  const binary = await findRedis()
  if (binary.cli === undefined) throw new Error(`no redis-cli beside ${binary.server} nor on PATH`)
  const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(NODE_TIMEOUT)]
  const nodes: RedisServer[] = []
  const stop = async (): Promise<void> => void (await Promise.all(nodes.map((node) => node.stop())))
  try {
    // One after the other: each must see the ports that those before it took.
    for (let index = 0; index < 2 * MASTERS; index++) nodes.push(await startRedis({ args }))
    const hosts = nodes.map((node) => `${node.host}:${node.port}`)
    await run(binary.cli, ['--cluster', 'create', ...hosts, '--cluster-replicas', '1', '--cluster-yes'], {
      env: { ...process.env, ...binary.env },
    })
    await eventually('the cluster is ok', async () => (await Promise.all(nodes.map(isReady))).every(Boolean))
  } catch (error) {
    await stop()
    throw error
  }

  return {
    nodes,
    addresses: nodes.map(({ host, port }) => ({ host, port })),
    masters: async () => (await mastersAndSlots(nodes)).map(({ node }) => node),
    async masterOf(key) {
      const masters = await mastersAndSlots(nodes)
      const slot = Number(await masters[0]?.node.command('CLUSTER', 'KEYSLOT', key))
      const owner = masters.find(({ ranges }) => ranges.some(([first, last]) => first <= slot && slot <= last))
      if (!owner) throw new Error(`nobody serves slot ${slot}`)
      return owner.node
    },
    stop,
  }
}

async function isReady(node: RedisServer): Promise<boolean> {
  const cluster = String(await node.command('CLUSTER', 'INFO'))
  const replication = String(await node.command('INFO', 'replication'))
  const linked = replication.includes('role:master')
    ? replication.includes('connected_slaves:1')
    : replication.includes('master_link_status:up')
  return cluster.includes('cluster_state:ok') && cluster.includes(`cluster_known_nodes:${2 * MASTERS}`) && linked
}

interface Master {
  node: RedisServer
  ranges: [first: number, last: number][]
}

async function mastersAndSlots(nodes: readonly RedisServer[]): Promise<Master[]> {
  const answers = nodes.map(async (node) => String(await node.command('CLUSTER', 'NODES')))
  const table = await Promise.any(answers)
  const masters: Master[] = []
  for (const line of table.trim().split('\n')) {
    const [, address = '', flags = '', , , , , ...slots] = line.split(' ')
    if (!flags.includes('master') || flags.includes('fail')) continue
    const port = Number(address.split('@')[0]?.split(':')[1])
    const node = nodes.find((candidate) => candidate.port === port)
    if (node) masters.push({ node, ranges: slots.filter((slot) => !slot.startsWith('[')).map(parseRange) })
  }
  return masters
}

function parseRange(text: string): [number, number] {
  const [first = 0, last = first] = text.split('-').map(Number)
  return [first, last]
}
