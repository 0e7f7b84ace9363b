import {
  GlideClient,
  type GlideClientConfiguration,
  GlideClusterClient,
  type GlideClusterClientConfiguration,
  Logger,
} from '@valkey/valkey-glide'

type Addresses = { readonly host: string; readonly port: number }

Logger.setLoggerConfig('off') // it would print each error that the tests provoke

/** A client of GLIDE that is as patient as those of other libraries. */
export function connectGlide(
  { host, port }: Addresses,
  options: Partial<GlideClientConfiguration> = {},
): Promise<GlideClient> {
  return GlideClient.createClient({ addresses: [{ host, port }], requestTimeout: 5000, ...options })
}

export function connectGlideCluster(
  addresses: readonly Addresses[],
  options: Partial<GlideClusterClientConfiguration> = {},
): Promise<GlideClusterClient> {
  return GlideClusterClient.createClient({ addresses: [...addresses], requestTimeout: 5000, ...options })
}
