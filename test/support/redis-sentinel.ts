import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'
import { findRedis } from './redis-binary.ts'
import { killRedis, launchRedis } from './redis-process.ts'
import { startRedis, type RedisServer } from './redis-server.ts'
import { askRedis } from './resp.ts'

const HOST = '127.0.0.1'
const REPLICAS = 2
const SENTINELS = 3
/** ms. Above the second between two attempts to connect: else a master that is new to a sentinel is down at the first that fails. */
const DOWN_AFTER = 1500

export interface RedisSentinels {
  /** The name under which the sentinels watch the master: `new Redis({ sentinels: addresses, name })`. */
  name: string
  addresses: { host: string; port: number }[]
  /** Master first, as they were started. */
  servers: readonly RedisServer[]
  /** The server that the sentinels call master now. */
  master(): Promise<RedisServer>
  stop(): Promise<void>
}

/** Starts one master, two replicas and three sentinels; resolves when each sentinel knows all the others. */
export async function startSentinel(): Promise<RedisSentinels> {
  const name = 'herdlock'
  const folder = await mkdtemp(join(tmpdir(), 'herdlock-sentinel-'))
  const servers: RedisServer[] = []
  const sentinels: { port: number; child: ChildProcess }[] = []

  async function stop(): Promise<void> {
    await Promise.all([...sentinels.map(({ child }) => killRedis(child)), ...servers.map((server) => server.stop())])
    await rm(folder, { recursive: true, force: true })
  }

  try {
    const master = await startRedis()
    servers.push(master)
    for (let index = 0; index < REPLICAS; index++) {
      servers.push(await startRedis({ args: ['--replicaof', HOST, String(master.port)] }))
    }
    await eventually('the replicas follow', async () =>
      String(await master.command('INFO', 'replication')).includes(`connected_slaves:${REPLICAS}`),
    )
    for (let index = 0; index < SENTINELS; index++) {
      const port = await freePort()
      const file = join(folder, `sentinel-${index}.conf`)
      await writeFile(file, configuration(name, port, master.port))
      sentinels.push({ port, child: await launchRedis(await findRedis(), [file, '--sentinel'], folder) })
    }
    await eventually('the sentinels know each other', async () =>
      (await Promise.all(sentinels.map(({ port }) => knowsAll(port, name)))).every(Boolean),
    )
  } catch (error) {
    await stop()
    throw error
  }

  const addresses = sentinels.map(({ port }) => ({ host: HOST, port }))
  return {
    name,
    addresses,
    servers,
    async master() {
      const [first] = addresses
      if (!first) throw new Error('no sentinel')
      const answer = await askRedis(first, 'SENTINEL', 'get-master-addr-by-name', name)
      const port = Array.isArray(answer) ? Number(answer[1]) : undefined
      const server = servers.find((candidate) => candidate.port === port)
      if (!server) throw new Error(`the sentinels name an unknown master: ${String(answer)}`)
      return server
    },
    stop,
  }
}

function configuration(name: string, port: number, masterPort: number): string {
  return [
    `port ${port}`,
    `bind ${HOST}`,
    `sentinel monitor ${name} ${HOST} ${masterPort} 2`,
    `sentinel down-after-milliseconds ${name} ${DOWN_AFTER}`,
    `sentinel failover-timeout ${name} 2000`,
    `sentinel parallel-syncs ${name} 1`,
    '',
  ].join('\n')
}

async function knowsAll(port: number, name: string): Promise<boolean> {
  const reply = await askRedis({ host: HOST, port }, 'SENTINEL', 'master', name)
  if (!Array.isArray(reply)) return false
  const field = (key: string): number => Number(reply[reply.indexOf(key) + 1])
  return field('num-slaves') === REPLICAS && field('num-other-sentinels') === SENTINELS - 1
}
