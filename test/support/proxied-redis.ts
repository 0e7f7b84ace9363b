import { onTestFinished } from 'vitest'
import { type RedisServer, startRedis } from './redis-server.ts'
import { startProxy, type TcpProxy } from './tcp-proxy.ts'

/** A Redis with a proxy before it. Both end with the test, or, in `beforeEach`, with the test that it begins. */
export async function startProxiedRedis(): Promise<{ server: RedisServer; proxy: TcpProxy }> {
  const server = await startRedis()
  const proxy = await startProxy(server)
  onTestFinished(async () => {
    await proxy.close()
    await server.stop()
  })
  return { server, proxy }
}
