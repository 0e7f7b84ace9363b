import type { RedisClient } from '../../src/redis/clients/port-of.ts'

/** The libraries whose clients herdlock takes. */
export const LIBRARIES = ['ioredis', 'node-redis', 'iovalkey', 'GLIDE'] as const

export type Library = (typeof LIBRARIES)[number]

interface Address {
  readonly host: string
  readonly port: number
}

const patient = { retryStrategy: () => 20, maxRetriesPerRequest: null }
const connectionBackoff = { numberOfRetries: 1, factor: 20, exponentBase: 1 }

/** Each loads its library: a process needs one. */
const MAKERS: Readonly<Record<Library, (address: Address, options: object) => Promise<RedisClient>>> = {
  ioredis: async (address, options) => {
    const { Redis } = await import('ioredis')
    return new Redis({ ...address, ...patient, ...options }).on('error', () => {})
  },
  'node-redis': async (address, options) => {
    const { createClient } = await import('redis')
    const client = createClient({ ...options, socket: { ...address, reconnectStrategy: 20 } }).on('error', () => {})
    client.connect().catch(() => {})
    return client
  },
  iovalkey: async (address, options) => {
    const { Redis } = await import('iovalkey')
    return new Redis({ ...address, ...patient, ...options }).on('error', () => {})
  },
  GLIDE: async (address, options) => {
    const { connectGlide } = await import('./glide-clients.ts')
    return connectGlide(address, { lazyConnect: true, connectionBackoff, ...options })
  },
}

/** A client of that library, with `options` of its own. It connects, and connects again soon after each loss. */
export function connectClient(library: Library, { host, port }: Address, options: object = {}): Promise<RedisClient> {
  return MAKERS[library]({ host, port }, options)
}
