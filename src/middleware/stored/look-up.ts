import type { IncomingMessage } from 'node:http'

import type { Cache } from '../../cache/cache.ts'
import type { ResourceKeys } from '../request/resource-keys.ts'
import { type Stored, storedCodec } from './stored-codec.ts'
import { StoredResponse } from './stored-response.ts'
import { VaryIndex } from './vary-index.ts'

/** The fresh response in memory, if there is one that this request may have as it is. */
export function lookUp(cache: Cache, keys: ResourceKeys, req: IncomingMessage): StoredResponse | undefined {
  const own =
    peekVariant(cache, keys.get, req) ?? (keys.own === keys.get ? undefined : peekVariant(cache, keys.own, req))
  if (own !== undefined) return own.mustValidate ? undefined : own
  return keys.get === keys.anonymous ? undefined : forAnybody(peekVariant(cache, keys.anonymous, req))
}

/** The same in Redis too, among the responses to GET. */
export async function find(
  cache: Cache,
  keys: ResourceKeys,
  req: IncomingMessage,
): Promise<StoredResponse | undefined> {
  const own = await getVariant(cache, keys.get, req)
  if (own !== undefined) return own.mustValidate ? undefined : own
  return keys.get === keys.anonymous ? undefined : forAnybody(await getVariant(cache, keys.anonymous, req))
}

/** What was stored for nobody in particular is for those who identify themselves only if it says so. */
function forAnybody(stored: StoredResponse | undefined): StoredResponse | undefined {
  return stored?.explicit === true && !stored.mustValidate ? stored : undefined
}

export function peekVariant(cache: Cache, key: string, req: IncomingMessage): StoredResponse | undefined {
  const found = cache.peek<Stored>(key)
  if (!(found instanceof VaryIndex)) return selected(found, req)
  return selected(cache.peek<Stored>(found.variantKey(key, req.headers)), req)
}

async function getVariant(cache: Cache, key: string, req: IncomingMessage): Promise<StoredResponse | undefined> {
  const options = { codec: storedCodec as never }
  try {
    const found = await cache.get<Stored>(key, options)
    if (!(found instanceof VaryIndex)) return selected(found, req)
    return selected(await cache.get<Stored>(found.variantKey(key, req.headers), options), req)
  } catch {
    return undefined // the cache is closed
  }
}

function selected(found: Stored | undefined, req: IncomingMessage): StoredResponse | undefined {
  if (!(found instanceof StoredResponse)) return undefined
  return found.selecting.length === 0 || found.isSelectedBy(req.headers) ? found : undefined
}
