import { createCache } from 'herdlock'
import { Redis } from 'ioredis'

const redis = new Redis(process.env.REDIS_URL ?? 'redis://localhost:6379', { lazyConnect: true })

export const cache = createCache({ ttl: 60_000, redis })
