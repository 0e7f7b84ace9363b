import { startRedis } from '../../test/support/redis-server.ts'
import { optionAfter, Report } from '../measure/report.ts'
import { measureBatches } from './batches.ts'
import { measureCrowd } from './crowd.ts'
import { measureFirstSecond } from './first-second.ts'
import { measureEntries, measureWaiters } from './footprint.ts'
import { measureCold, measureDistance, measureStale } from './herds.ts'
import { measureMemoryHits } from './memory-hits.ts'
import { measureMisses } from './misses.ts'
import { measureClientHits, measureRedisHits, measureRedisTraffic } from './redis-hits.ts'
import { endWorkers } from './workers.ts'

/**
 *     npm run bench -- cache [--quick] [--only memory,misses,redis,clients,traffic,cold,stale,distance,crowd,batches,entries,waiters,first]
 *
 * herdlock as it is built, next to what else there is, on a Redis of its own, or that of REDIS_URL, which it flushes.
 * `first` is the first second of new processes, `first-memory` that of one part. Figures are medians, of contenders that
 * took turns; where it says so, shares of another's.
 */
const quick = process.argv.includes('--quick')
const only = optionAfter('--only')?.split(',')
const json = optionAfter('--json')
const asks = (part: string): boolean => only === undefined || only.includes(part)

const server = process.env['REDIS_URL'] === undefined ? await startRedis() : undefined
const url = server?.url ?? (process.env['REDIS_URL'] as string)
const report = new Report()
try {
  if (asks('memory')) await measureMemoryHits(report, url, quick)
  if (asks('misses')) await measureMisses(report, quick)
  if (asks('redis')) await measureRedisHits(report, url, quick)
  if (asks('clients')) await measureClientHits(report, url, quick)
  if (asks('traffic')) await measureRedisTraffic(report, url)
  if (asks('cold')) await measureCold(report, url, quick)
  if (asks('stale')) await measureStale(report, url, quick)
  if (asks('distance')) await measureDistance(report, url, quick)
  if (asks('crowd')) await measureCrowd(report, url, quick)
  if (asks('batches')) await measureBatches(report, url, quick)
  if (asks('entries')) await measureEntries(report, quick)
  if (asks('waiters')) await measureWaiters(report, quick)
  await measureFirstSecond(report, url, quick, (part) => asks('first') || asks(`first-${part}`))
} finally {
  endWorkers()
  if (json !== undefined) await report.save(json)
  await server?.stop()
}
