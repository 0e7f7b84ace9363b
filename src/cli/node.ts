import { systemClock } from '../clock.ts'
import { Connection } from '../redis/connection.ts'
import type { Address } from './address.ts'
import type { Open } from './clients/library.ts'

/** One Redis process that was reached. */
export interface RedisNode {
  readonly address: Address
  readonly connection: Connection
  close(): void
}

/** It could not be reached, or did not answer in time. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

/**
 * Connects once, without retries. Rejects with `Unreachable`; its cause is the refusal, if there was one. With some
 * clients a refused login shows at the first command.
 */
export async function openNode(open: Open, address: Address, timeout: number): Promise<RedisNode> {
  try {
    const { port, close } = await open(address, timeout)
    return { address, connection: new Connection(port, systemClock, timeout), close }
  } catch (error) {
    throw new Unreachable(whyNot(error as Error, address), { cause: error })
  }
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|peer certificate/

function whyNot(error: Error, { tls }: Address): string {
  const { code = '' } = error as { code?: string }
  if (CERTIFICATE.test(code) || CERTIFICATE.test(error.message)) {
    return `${error.message}: name the authority in NODE_EXTRA_CA_CERTS=file.pem`
  }
  if (code === 'EPROTO') return 'it does not speak TLS: try redis://'
  if (CLOSED.test(error.message) || code === 'ECONNRESET') {
    return tls ? 'it closed the connection' : 'it closed the connection: if it wants TLS, say rediss://'
  }
  return error.message || code
}

const CLOSED =
  /^(Connection is closed\.|Socket closed unexpectedly|Multiplexed connection driver unexpectedly terminated.*)$/
