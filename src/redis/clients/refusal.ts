import { wrongType } from '../../errors.ts'

const SUPPORTED =
  'a client of ioredis or iovalkey (Redis, Cluster), of node-redis (createClient, createCluster, createSentinel, createClientPool) or of GLIDE (GlideClient, GlideClusterClient), or an array of them'

/** Methods that show where a client comes from. The first exists only in this library. */
const KNOWN_BY: readonly (readonly [library: string, first: string, second: string])[] = [
  ['ioredis', 'createBuiltinCommand', 'duplicate'],
  ['node-redis', 'sendCommand', 'duplicate'],
  ['GLIDE', 'customCommand', 'close'],
]

/** The error for an object that is not a client of a supported library. It says what is missing. */
export function refusal(option: string, received: unknown): TypeError {
  const isObject = typeof received === 'object' && received !== null && !Array.isArray(received)
  return wrongType(option, SUPPORTED, received, isObject ? lack(received) : '')
}

function lack(object: object): string {
  const has = (name: string): boolean => typeof (object as Record<string, unknown>)[name] === 'function'
  if (has('then')) return ' that is a promise: await it'
  const nearest = KNOWN_BY.find(([, first]) => has(first))
  if (nearest !== undefined) return ` with ${nearest[1]}() of ${nearest[0]}, but without ${nearest[2]}()`
  const [ioredis, nodeRedis, glide] = KNOWN_BY.map(([library, first]) => `${first}() of ${library}`)
  return ` without ${ioredis}, ${nodeRedis} or ${glide}`
}
