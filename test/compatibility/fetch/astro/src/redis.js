import { createCache } from 'herdlock'
import { Redis } from 'ioredis'

const { REDIS_URL, PREFIX } = process.env
const redis = new Redis(REDIS_URL)

export const cache = createCache({ ttl: 60_000, redis, prefix: PREFIX })
export const nextRun = () => redis.incr(`${PREFIX}:runs`)
