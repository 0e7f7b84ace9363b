import type { Cache } from '../../cache/cache.ts'
import type { RequestFields } from '../rules/fields.ts'
import type { ResourceKeys } from '../request/resource-keys.ts'
import { type Stored, storedCodec } from './stored-codec.ts'
import { StoredResponse } from './stored-response.ts'
import { VaryIndex } from './vary-index.ts'

/** The fields by which a request selects a variant. Made only if there are variants. */
export type Selecting = () => RequestFields

/** The fresh response in memory, if there is one that this request may have as it is. */
export function lookUp(cache: Cache, keys: ResourceKeys, selecting: Selecting): StoredResponse | undefined {
  const own =
    peekVariant(cache, keys.get, selecting) ??
    (keys.own === keys.get ? undefined : peekVariant(cache, keys.own, selecting))
  if (own !== undefined) return own.mustValidate ? undefined : own
  return keys.get === keys.anonymous ? undefined : forAnybody(peekVariant(cache, keys.anonymous, selecting))
}

/** The same, also in Redis, among the responses to GET. */
export async function find(
  cache: Cache,
  keys: ResourceKeys,
  selecting: Selecting,
): Promise<StoredResponse | undefined> {
  const own = await getVariant(cache, keys.get, selecting)
  if (own !== undefined) return own.mustValidate ? undefined : own
  return keys.get === keys.anonymous ? undefined : forAnybody(await getVariant(cache, keys.anonymous, selecting))
}

/** A response that was stored without credentials is for requests with credentials only if it says so. */
function forAnybody(stored: StoredResponse | undefined): StoredResponse | undefined {
  return stored?.explicit === true && !stored.mustValidate ? stored : undefined
}

export function peekVariant(cache: Cache, key: string, selecting: Selecting): StoredResponse | undefined {
  const found = cache.peek<Stored>(key)
  if (!(found instanceof VaryIndex)) return selected(found, selecting)
  return selected(cache.peek<Stored>(found.variantKey(key, selecting())), selecting)
}

async function getVariant(cache: Cache, key: string, selecting: Selecting): Promise<StoredResponse | undefined> {
  const options = { codec: storedCodec as never }
  try {
    const found = await cache.get<Stored>(key, options)
    if (!(found instanceof VaryIndex)) return selected(found, selecting)
    return selected(await cache.get<Stored>(found.variantKey(key, selecting()), options), selecting)
  } catch {
    return undefined // the cache is closed
  }
}

function selected(found: Stored | undefined, selecting: Selecting): StoredResponse | undefined {
  if (!(found instanceof StoredResponse)) return undefined
  return found.selecting.length === 0 || found.isSelectedBy(selecting()) ? found : undefined
}
