import { findRedis } from '../../test/support/redis-binary.ts'
import { startRedis } from '../../test/support/redis-server.ts'

export interface DemoRedis {
  readonly url: string
  stop(): Promise<void>
}

/** The Redis at REDIS_URL, or one of the demo's own, which it stops. Says which. */
export async function provideRedis(): Promise<DemoRedis> {
  const given = process.env['REDIS_URL']
  if (given) {
    const { hostname, port } = new URL(given)
    console.log(`Redis: REDIS_URL, ${hostname}:${port || 6379}`)
    return { url: given, stop: async () => {} }
  }
  const { server, version, source } = await findRedis(console.log)
  console.log(`Redis: ${server} ${version} (${source})`)
  return startRedis()
}
