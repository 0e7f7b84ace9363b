import { isIP } from 'node:net'
import { systemClock } from '../clock.ts'
import { IoredisPort } from '../redis/clients/ioredis.ts'
import type { IoredisClient } from '../redis/clients/ioredis-client.ts'
import { Connection } from '../redis/connection.ts'
import type { Address } from './address.ts'
import type { Ioredis } from './ioredis.ts'

/** One Redis process that was reached. */
export interface RedisNode {
  readonly address: Address
  readonly connection: Connection
  /** A further connection to it, such as for SUBSCRIBE. */
  another(): Promise<RedisNode>
  /** Tells on which channels messages arrive. */
  onMessage(listener: (channel: string) => void): void
  close(): void
}

/** It could not be reached, or did not answer in time. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

/** ms that a server has to agree to the end of a connection; a frozen one does not. */
const DISCONNECT_TIMEOUT = 100

/** Connects, once and without trying again. Rejects with `Unreachable`; a refused log-in shows at the first command. */
export async function openNode({ Redis }: Ioredis, address: Address, timeout: number): Promise<RedisNode> {
  const client = new Redis({
    ...{ host: address.host, port: address.port, db: address.db },
    ...(address.username === undefined ? {} : { username: address.username }),
    ...(address.password === undefined ? {} : { password: address.password }),
    ...(address.tls ? { tls: isIP(address.host) === 0 ? { servername: address.host } : {} } : {}),
    ...{ lazyConnect: true, connectTimeout: timeout, retryStrategy: () => null, maxRetriesPerRequest: 0 },
    disconnectTimeout: DISCONNECT_TIMEOUT,
    ...{ enableReadyCheck: false, autoResubscribe: false, protocol: 2, connectionName: 'herdlock-cli' },
  })
  let failure: Error | undefined
  client.on('error', (error: Error) => (failure ??= error))
  try {
    await connected(client, timeout)
  } catch (error) {
    client.disconnect()
    throw new Unreachable(whyNot(failure ?? (error as Error), address), { cause: failure ?? error })
  }
  return {
    address,
    connection: new Connection(new IoredisPort(client), systemClock, timeout),
    onMessage: (listener) => void client.on('message', listener),
    another: () => openNode({ Redis }, address, timeout),
    close: () => client.disconnect(),
  }
}

/** A server that accepts a connection and then says nothing, in the middle of TLS, say, is none that was reached. */
function connected(client: IoredisClient & { connect(): Promise<void> }, timeout: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = systemClock.setTimeout(() => reject(new Error(`it did not answer within ${timeout} ms`)), timeout)
    client.connect().then(resolve, reject).finally(timer.cancel)
  })
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS/

function whyNot(error: Error, { tls }: Address): string {
  const { code = '' } = error as { code?: string }
  if (CERTIFICATE.test(code)) return `${error.message}: name the authority in NODE_EXTRA_CA_CERTS=file.pem`
  if (code === 'EPROTO') return 'it does not speak TLS: try redis://'
  if (error.message === 'Connection is closed.' || code === 'ECONNRESET') {
    return tls ? 'it closed the connection' : 'it closed the connection: if it wants TLS, say rediss://'
  }
  return error.message || code
}
