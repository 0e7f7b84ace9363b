import { isForbidden } from '../../redis/client-error.ts'
import { heartbeat } from '../../redis/scripts/heartbeat.ts'
import type { RedisNode } from '../node.ts'
import type { Finding } from './finding.ts'
import { listen } from './listening.ts'
import { messageOf } from './refusal.ts'

/**
 * Publishes to a shard of a Cluster, as for results of refills, and checks whether the message arrives. `tag` hashes to
 * one of the node's slots. If it does not arrive, results go to every node: this costs the Cluster more, but no result is
 * lost.
 */
export async function tryShard(
  { address, connection }: RedisNode,
  tag: string,
  id: string,
  timeout: number,
): Promise<Finding> {
  const check = 'shards'
  const toAll = (why: string): Finding => {
    return { check, level: 'ok', said: `results of refills go to every node of the Cluster: ${why}` }
  }
  const channel = `herdlock:inbox:{${tag}}doctor-${id}`
  const shard = { node: `${address.host}:${address.port}`, tag }
  const messages = listen(connection.client, [channel], { shard }, timeout)
  try {
    const failure = await messages.begun
    if (failure !== undefined) throw failure
    await connection.run(heartbeat, [`{${tag}}`], [channel, ''])
    if ((await messages.missing()).length > 0) return toAll('this client cannot receive those of one shard')
    return { check, level: 'ok', said: 'results of refills go to the nodes of one shard' }
  } catch (error) {
    const classic = toAll(messageOf(error))
    if (!isForbidden(error)) return classic
    return { ...classic, level: 'warn', change: 'ACL SETUSER <user> +ssubscribe +spublish' }
  } finally {
    messages.close()
  }
}
