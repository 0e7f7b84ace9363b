import { Redis } from 'ioredis'
import { onTestFinished } from 'vitest'
import type { Cache } from '../../../src/cache/cache.ts'
import { createCache } from '../../../src/cache/create-cache.ts'
import type { CacheOptions } from '../../../src/cache/options.ts'
import { systemClock, type Clock } from '../../../src/clock.ts'
import { joinWith, type FleetMember } from '../../../src/dashboard/fleet/join-fleet.ts'
import { systemRandom } from '../../../src/random.ts'
import { sharedRedis } from '../../support/shared-redis.ts'

/** A cache on a connection of its own, as another process has. Closed after the test. */
export function elsewhere(options: Partial<CacheOptions> & { prefix: string }, url = sharedRedis().url): Cache {
  const redis = new Redis(url)
  redis.on('error', () => {})
  const cache = createCache({ ttl: 60_000, redis, ...options })
  onTestFinished(async () => {
    await cache.close()
    redis.disconnect()
  })
  return cache
}

/** Lets dashboards see a cache as that of a process of that name. */
export function joined(cache: Cache, process: string, clock: Clock = systemClock): FleetMember {
  const member = joinWith([cache], { clock, random: systemRandom, process })
  onTestFinished(() => member.close())
  return member
}
