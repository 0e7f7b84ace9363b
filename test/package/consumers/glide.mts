import { GlideClient, GlideClusterClient } from '@valkey/valkey-glide'
import { createCache, Locker } from 'herdlock'

// As clients.mts, for GLIDE, whose own types do not compile everywhere.
const addresses = { addresses: [{ host: 'localhost', port: 7000 }] }

createCache({ ttl: 1000, redis: await GlideClient.createClient(addresses) })
createCache({ ttl: 1000, redis: await GlideClusterClient.createClient(addresses) })
new Locker({ clients: await GlideClient.createClient(addresses) })
new Locker({ clients: await GlideClusterClient.createClient(addresses) })
