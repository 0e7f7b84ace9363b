import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import { Cluster as ValkeyCluster, Redis as Valkey } from 'iovalkey'
import * as redis6 from 'redis'
import * as redis5 from 'redis5'
import { createCache, Locker, type CacheOptions } from 'herdlock'

// Each client as its library makes it, without a cast.
const nodes = [{ host: 'localhost', port: 7000 }]
const rootNodes = [{ url: 'redis://localhost:7000' }]
const sentinel = { name: 'main', sentinelRootNodes: nodes }

const options: CacheOptions = { ttl: 1000, redis: new Redis() }
createCache(options)
createCache({ ttl: 1000, redis: new Redis5() })
createCache({ ttl: 1000, redis: new Cluster(nodes) })
createCache({ ttl: 1000, redis: new Cluster5(nodes) })
createCache({ ttl: 1000, redis: new Valkey() })
createCache({ ttl: 1000, redis: new ValkeyCluster(nodes) })
createCache({ ttl: 1000, redis: redis6.createClient() })
createCache({ ttl: 1000, redis: redis6.createClient({ RESP: 3 }) })
createCache({ ttl: 1000, redis: await redis6.createClient().on('error', console.error).connect() })
createCache({ ttl: 1000, redis: redis6.createCluster({ rootNodes }) })
createCache({ ttl: 1000, redis: redis6.createSentinel(sentinel) })
createCache({ ttl: 1000, redis: redis6.createClientPool() })
createCache({ ttl: 1000, redis: redis5.createClient() })
createCache({ ttl: 1000, redis: redis5.createCluster({ rootNodes }) })
createCache({ ttl: 1000, redis: redis5.createSentinel(sentinel) })
createCache({ ttl: 1000, redis: redis5.createClientPool() })
createCache({ ttl: 1000, redis: [redis6.createClient(), new Redis()] })
// @ts-expect-error this is no client
createCache({ ttl: 1000, redis: new URL('redis://localhost') })

new Locker({ clients: new Redis() })
new Locker({ clients: new Redis5() })
new Locker({ clients: new Cluster(nodes) })
new Locker({ clients: new Cluster5(nodes) })
new Locker({ clients: new Valkey() })
new Locker({ clients: new ValkeyCluster(nodes) })
new Locker({ clients: redis6.createClient() })
new Locker({ clients: redis6.createCluster({ rootNodes }) })
new Locker({ clients: redis6.createSentinel(sentinel) })
new Locker({ clients: redis6.createClientPool() })
new Locker({ clients: redis5.createClient() })
new Locker({ clients: [new Redis(), new Redis5(), new Valkey(), redis6.createClient(), redis5.createClient()] })
// @ts-expect-error nor is this
new Locker({ clients: {} })
