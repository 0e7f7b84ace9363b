import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { startRedis } from '../../test/support/redis-server.ts'
const server = await startRedis()
for (const [name, sub] of [['6 resp3', new Redis(server.url)], ['6 resp2', new Redis(server.url, { protocol: 2 } as any)], ['5', new Redis5(server.url)]] as const) {
  const w = new Redis(server.url)
  try {
    const id = await sub.call('client', 'id') as number
    console.log(name, 'id', id, await sub.call('client', 'tracking', 'on', 'redirect', String(id), 'bcast', 'prefix', 'p:{'))
    sub.on('messageBuffer', (c: any, m: any) => console.log(name, String(c), Array.isArray(m) ? m.map(String) : m))
    sub.on('error', (e: any) => console.log('err', e.message))
    await sub.call('subscribe', '__redis__:invalidate')
    await w.set('p:{a}', '1'); await w.set('p:{a}:lease', '1'); await w.del('p:{a}'); await w.set('other', 1); await w.flushall()
    await new Promise((r) => setTimeout(r, 100))
  } catch (e) { console.log(name, 'ERR', (e as Error).message) }
  sub.disconnect(); w.disconnect()
}
await server.stop()
