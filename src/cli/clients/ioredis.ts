import { isErrorReply } from '../../redis/client-error.ts'
import { IoredisPort } from '../../redis/clients/ioredis.ts'
import type { IoredisClient } from '../../redis/clients/ioredis-client.ts'
import { type Address, serverNameOf } from '../address.ts'
import type { Library, OpenedClient } from './library.ts'
import { within } from './within.ts'

/** What is needed of ioredis 5 or 6, and of iovalkey. */
interface Ioredis {
  readonly Redis: new (options: object) => IoredisClient & { connect(): Promise<void> }
}

export const ioredis: Library<Ioredis> = {
  name: 'ioredis',
  sign: 'Redis',
  opener: (exports) => (address, timeout) => open(exports, address, timeout),
}

export const iovalkey: Library<Ioredis> = { ...ioredis, name: 'iovalkey' }

/** ms that a server has to agree to the end of a connection. A frozen server does not. */
const DISCONNECT_TIMEOUT = 100

async function open({ Redis }: Ioredis, address: Address, timeout: number): Promise<OpenedClient> {
  const client = new Redis({
    ...{ host: address.host, port: address.port, db: address.db },
    ...(address.username === undefined ? {} : { username: address.username }),
    ...(address.password === undefined ? {} : { password: address.password }),
    ...(address.tls ? { tls: serverNameOf(address) } : {}),
    ...{ lazyConnect: true, connectTimeout: timeout, retryStrategy: () => null, maxRetriesPerRequest: 0 },
    disconnectTimeout: DISCONNECT_TIMEOUT,
    ...{ enableReadyCheck: false, autoResubscribe: false, protocol: 2, connectionName: 'herdlock-cli' },
  })
  const port = new IoredisPort(client)
  const close = (): void => client.disconnect()
  let failure: Error | undefined
  client.on('error', (error: Error) => (failure ??= error))
  try {
    await within(timeout, client.connect())
    await within(timeout, port.send('text', 'ping', [])) // by its reply, a refused log-in is known
  } catch (error) {
    failure ??= isErrorReply(error) ? undefined : (error as Error)
  }
  if (failure === undefined) return { port, close }
  close()
  throw failure
}
