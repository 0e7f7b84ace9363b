import { Redis } from 'ioredis'
import { createCache } from '../../dist/index.js'
import { startRedis } from '../../test/support/redis-server.ts'
const server = await startRedis()
const redis = new Redis(server.url)
const cache = createCache({ ttl: 600_000, redis, memory: false, prefix: 'b' })
const value = { id: 1, text: 'x'.repeat(80) }
for (let i = 0; i < 1000; i++) await cache.set(`k${i}`, value)
const loader = () => { throw new Error('miss') }
const conc = Number(process.argv[2])
const t = performance.now(); let i = 0
const n = 1500000
for (let done = 0; done < n; done += conc) await Promise.all(Array.from({ length: conc }, () => cache.getOrRefill(`k${i++ % 1000}`, loader)))
console.log(n / (performance.now() - t), 'k/s')
await cache.close(); redis.disconnect(); await server.stop()
