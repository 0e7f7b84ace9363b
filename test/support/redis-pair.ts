import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'
import { startRedis, type RedisServer } from './redis-server.ts'

/** A master and its replica. Clients find the master by `address`, as behind a name or an address that moves with it. */
export interface RedisPair {
  /** Host and port of the master; the same object all the time. Connections to the former one are the caller's to cut. */
  readonly address: { readonly host: string; readonly port: number }
  readonly master: RedisServer
  /**
   * Promotes the replica, which does not receive what the master is told `meanwhile`: that is lost. The former master
   * follows it.
   */
  failOver(meanwhile: () => Promise<unknown>): Promise<void>
  stop(): Promise<void>
}

/** A master would wait for five seconds for further replicas. */
const AT_ONCE = { args: ['--repl-diskless-sync-delay', '0'] }

export async function startRedisPair(): Promise<RedisPair> {
  let [master, replica] = await Promise.all([startRedis(AT_ONCE), startRedis(AT_ONCE)])
  const nowhere = await freePort()
  const address = { host: master.host, port: master.port }
  const follow = (server: RedisServer, port: number): Promise<unknown> =>
    server.command('REPLICAOF', address.host, port)
  const follows = async (): Promise<boolean> =>
    String(await replica.command('INFO', 'replication')).includes('master_link_status:up')
  await follow(replica, master.port)
  await eventually('the replica follows', follows)

  return {
    address,
    get master() {
      return master
    },
    async failOver(meanwhile) {
      await eventually('the replica follows', follows)
      await follow(replica, nowhere)
      await meanwhile()
      await replica.command('REPLICAOF', 'NO', 'ONE')
      ;[master, replica] = [replica, master]
      address.port = master.port
      await follow(replica, master.port)
    },
    async stop() {
      await Promise.all([master.stop(), replica.stop()])
    },
  }
}
