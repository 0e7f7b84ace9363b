import { createCache } from '../../dist/index.js'
import { LRUCache } from 'lru-cache'
const cache = createCache({ ttl: 600_000 })
const loader = () => 'v'
await cache.getOrRefill('key', loader)
const map = new Map<string, Promise<string>>([['key', Promise.resolve('v')]])
const limit = (k: string) => map.get(k)!
const lru = new LRUCache<string, any>({ max: 1000 }); lru.set('key', { promise: Promise.resolve('v'), trustedUntil: performance.now() + 1e9 })
const plainMap = new Map([['key','v']])
async function loop(f: (k: string) => any, n: number) { const t = performance.now(); for (let i = 0; i < n; i++) await f('key'); return n / (performance.now() - t) * 1000 }
function sloop(f: (k: string) => any, n: number) { const t = performance.now(); let x; for (let i = 0; i < n; i++) x = f('key'); return n / (performance.now() - t) * 1000 }
const N = 1e6
const contenders: Record<string, (k: string) => any> = {
  limit, herdlock: (k) => cache.getOrRefill(k, loader),
  lruOnly: (k) => lru.get(k).promise,
  lruNow: (k) => { const e = lru.get(k); return performance.now() < e.trustedUntil ? e.promise : undefined },
}
for (const f of Object.values(contenders)) await loop(f, 2e5)
const res: Record<string, number[]> = {}
for (let r = 0; r < 7; r++) for (const [n, f] of Object.entries(contenders)) (res[n] ??= []).push(await loop(f, N))
const med = (a: number[]) => a.sort((x, y) => x - y)[a.length >> 1]!
for (const n in res) console.log(n, (med(res[n]!) / 1e6).toFixed(2), 'M/s', (med(res[n]!) / med(res['limit']!)).toFixed(3))
for (const f of [(k: string) => plainMap.get(k), cache.peek]) { sloop(f, 1e6); const rs=[]; for (let i=0;i<5;i++) rs.push(sloop(f, 3e6)); console.log('sync', (med(rs)/1e6).toFixed(1)) }
await cache.close()
