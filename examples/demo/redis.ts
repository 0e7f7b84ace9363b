import { findRedis } from '../../test/support/redis-binary.ts'
import { type RedisServer, startRedis } from '../../test/support/redis-server.ts'
import { addressOf, askRedis } from '../../test/support/resp.ts'

export interface DemoRedis {
  readonly url: string
  stop(): Promise<void>
}

/** The Redis at REDIS_URL, or one of the demo's own, which it stops. Says which. */
export async function provideRedis(): Promise<DemoRedis> {
  const given = process.env['REDIS_URL']
  if (given) return useGiven(given)
  return ownRedis()
}

/** One of the demo's own, which may be treated badly. */
export async function ownRedis(): Promise<RedisServer> {
  const { server, version, source } = await findRedis(console.log)
  console.log(`Redis: ${server} ${version} (${source})`)
  return startRedis()
}

async function useGiven(url: string): Promise<DemoRedis> {
  try {
    const address = addressOf(url)
    await askRedis(address, 'PING')
    console.log(`Redis: REDIS_URL, ${address.host}:${address.port}`)
  } catch (error) {
    throw new Error(`REDIS_URL cannot be used: ${error instanceof Error ? error.message : String(error)}`)
  }
  return { url, stop: async () => {} }
}
