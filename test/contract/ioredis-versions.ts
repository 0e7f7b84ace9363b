import * as ioredis6 from 'ioredis'
import * as ioredis5 from 'ioredis5'
import type { IoredisVersion } from './lock-contract.ts'

/** Both versions, seen through the types of the newer one. */
export function ioredis(version: IoredisVersion): typeof ioredis6 {
  return version === 6 ? ioredis6 : (ioredis5 as unknown as typeof ioredis6)
}
