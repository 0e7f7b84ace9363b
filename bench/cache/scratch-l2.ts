import { spawn } from 'node:child_process'
import { Redis } from 'ioredis'
import { createCache } from '../../dist/index.js'
import { findRedis } from '../../test/support/redis-binary.ts'
import { startRedis } from '../../test/support/redis-server.ts'
const server = await startRedis()
const redis = new Redis(server.url)
const cache = createCache({ ttl: 600_000, redis, memory: false, prefix: 'b' })
const sizes = Number(process.argv[2] ?? 100)
const value = { id: 1, text: 'x'.repeat(sizes - 20) }
const KEYS = 1000
for (let i = 0; i < KEYS; i++) { await cache.set(`k${i}`, value); await redis.set(`raw${i}`, JSON.stringify(value)) }
const loader = () => { throw new Error('miss') }
const get = async (i: number) => JSON.parse((await redis.get(`raw${i}`))!)
let pend: { k: string; r: (v: any) => void }[] = []
const mget = (i: number) => new Promise((r) => { if (pend.push({ k: `raw${i}`, r }) === 1) process.nextTick(async () => { const p = pend; pend = []; const vs = await redis.mget(p.map((x) => x.k)); p.forEach((x, j) => x.r(JSON.parse(vs[j]!))) }) })
const ours = (i: number) => cache.getOrRefill(`k${i}`, loader)
const contenders = { get, mget, ours }
async function run(f: (i: number) => Promise<any>, conc: number, n: number) {
  const t = performance.now(); const c = process.cpuUsage(); let i = 0
  for (let done = 0; done < n; done += conc) await Promise.all(Array.from({ length: conc }, () => f(i++ % KEYS)))
  const u = process.cpuUsage(c); cpu.push((u.user + u.system) / n); return n / (performance.now() - t) * 1000
}
let cpu: number[] = []
const med = (a: number[]) => a.sort((x, y) => x - y)[a.length >> 1]!
const cpus: Record<string, number[]> = {}
for (const conc of [1, 64, 1000]) {
  const n = conc === 1 ? 5000 : 40000
  const res: Record<string, number[]> = {}
  for (let r = 0; r < 9; r++) for (const [name, f] of Object.entries(contenders)) { cpu = (cpus[name + conc] ??= []); (res[name] ??= []).push(await run(f, conc, n)) }
  console.log(conc, Object.entries(res).map(([k, v]) => `${k} ${(med(v) / 1000).toFixed(1)}k ${(med(v) / med(res['get']!)).toFixed(2)} cpu ${med(cpus[k + conc]!).toFixed(2)}us`).join('  '))
}
await cache.close(); redis.disconnect(); await server.stop()
