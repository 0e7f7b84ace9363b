import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import { Cluster as ValkeyCluster, Redis as Valkey } from 'iovalkey'
import { createClient } from 'redis'
import { createClient as createClient5 } from 'redis5'
import { createCache, Locker, type CacheOptions } from 'herdlock'

const nodes = [{ host: 'localhost', port: 7000 }]
const options: CacheOptions = { ttl: 1000, redis: new Redis() }
createCache(options)
createCache({ ttl: 1000, redis: new Redis5() })
createCache({ ttl: 1000, redis: new Cluster(nodes) })
createCache({ ttl: 1000, redis: new Cluster5(nodes) })
createCache({ ttl: 1000, redis: new Valkey() })
createCache({ ttl: 1000, redis: new ValkeyCluster(nodes) })
createCache({ ttl: 1000, redis: createClient() })
createCache({ ttl: 1000, redis: createClient5() })
createCache({ ttl: 1000, redis: createClient({ RESP: 3 }) })
createCache({ ttl: 1000, redis: await createClient().connect() })
createCache({ ttl: 1000, redis: createClient().on('error', console.error) })
createCache({ ttl: 1000, redis: [createClient(), new Redis()] })
new Locker({ clients: new Redis() })
new Locker({ clients: new Redis5() })
new Locker({ clients: new Cluster(nodes) })
new Locker({ clients: new Cluster5(nodes) })
new Locker({ clients: new Valkey() })
new Locker({ clients: new ValkeyCluster(nodes) })
new Locker({ clients: createClient() })
new Locker({ clients: createClient5() })
new Locker({ clients: [new Redis(), new Redis5(), new Valkey(), createClient(), createClient5()] })
// @ts-expect-error this is no client
createCache({ ttl: 1000, redis: new URL('redis://localhost') })
// @ts-expect-error nor is this
new Locker({ clients: {} })
