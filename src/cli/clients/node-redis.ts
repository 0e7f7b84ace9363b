import type { NodeRedisClient } from '../../redis/clients/node-redis-client.ts'
import { NodeRedisSinglePort } from '../../redis/clients/node-redis-single.ts'
import { type Address, serverNameOf } from '../address.ts'
import type { Library, OpenedClient } from './library.ts'
import { within } from './within.ts'

/** What is needed of node-redis 5 or 6. */
interface NodeRedis {
  createClient(options: object): NodeRedisClient & { connect(): Promise<unknown>; destroy(): void }
  /** Version 4 has none. */
  readonly createClientPool: unknown
}

export const nodeRedis: Library<NodeRedis> = {
  name: 'redis',
  sign: 'createClientPool',
  opener: (exports) => (address, timeout) => open(exports, address, timeout),
}

async function open({ createClient }: NodeRedis, address: Address, timeout: number): Promise<OpenedClient> {
  const { host, port, username, password, db: database, tls } = address
  const client = createClient({
    ...{ username, password, database, RESP: 2 },
    socket: {
      ...{ host, port, connectTimeout: timeout, reconnectStrategy: false },
      ...(tls ? { tls, ...serverNameOf(address) } : {}),
    },
  })
  const close = (): void => {
    if (client.isOpen) client.destroy()
  }
  client.on('error', () => {}) // it would end the process
  try {
    await within(timeout, client.connect())
  } catch (error) {
    close()
    throw error
  }
  return { port: new NodeRedisSinglePort(client), close }
}
