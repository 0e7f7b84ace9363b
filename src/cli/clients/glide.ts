import { readFile } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'
import { GlidePort } from '../../redis/clients/glide.ts'
import type { GlideLikeClient } from '../../redis/clients/glide-client.ts'
import { asReplyError } from '../../redis/clients/glide-error.ts'
import type { Address } from '../address.ts'
import type { Library, OpenedClient } from './library.ts'
import { within } from './within.ts'

/** What is needed of GLIDE 2. */
interface Glide {
  readonly GlideClient: { createClient(options: object): Promise<GlideLikeClient> }
  readonly Logger: { setLoggerConfig(level: 'off'): unknown }
}

export const glide: Library<Glide> = {
  name: '@valkey/valkey-glide',
  sign: 'GlideClient',
  opener: (exports) => {
    exports.Logger.setLoggerConfig('off') // it would print what goes wrong
    return (address, timeout) => open(exports, address, timeout)
  },
}

/** `NodeDiscoveryMode.Static`: use the named node as it is. */
const AS_IT_IS = { nodeDiscoveryMode: 1 }

/** For a node that is not a master, or whose user may not ask whether it is one. */
const UNSUITABLE = /No primary node found|^NOPERM .*'info' command/

async function open({ GlideClient }: Glide, address: Address, timeout: number): Promise<OpenedClient> {
  const { host, port, username, password, db, tls } = address
  const options = {
    ...{ addresses: [{ host, port }], databaseId: db, useTLS: tls },
    ...(password === undefined ? {} : { credentials: { username, password } }),
    requestTimeout: timeout * 2, // the deadline is that of `Connection`
    connectionBackoff: { numberOfRetries: 1, factor: 1, exponentBase: 1 }, // with 0 it might never answer
    advancedConfiguration: {
      connectionTimeout: timeout,
      ...(tls ? { tlsAdvancedConfiguration: await extraAuthorities() } : {}),
    },
  }
  const connect = async (more: object): Promise<OpenedClient> => {
    const client = await GlideClient.createClient({ ...options, ...more })
    return { port: new GlidePort(client), close: () => client.close() }
  }
  const opening = connect({}).catch((error: unknown) => {
    const reason = asReplyError(error)
    if (!UNSUITABLE.test(String((reason as Error).message))) throw reason
    return connect(AS_IT_IS)
  })
  try {
    return await within(timeout, opening)
  } catch (error) {
    opening.then(({ close }) => close()).catch(() => {})
    throw error
  }
}

/** GLIDE does not read the variable that names further authorities for Node. */
async function extraAuthorities(): Promise<object> {
  const file = process.env['NODE_EXTRA_CA_CERTS']
  if (file === undefined || file === '') return {}
  return { rootCertificates: [...rootCertificates, await readFile(file, 'utf8')].join('\n') }
}
