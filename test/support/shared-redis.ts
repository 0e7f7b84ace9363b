import { randomUUID } from 'node:crypto'
import { inject } from 'vitest'
import { addressOf, askRedis, type Reply, type RespAddress } from './resp.ts'

declare module 'vitest' {
  interface ProvidedContext {
    sharedRedisUrl: string
  }
}

export interface SharedRedis extends RespAddress {
  url: string
  /** One command on a connection of its own. */
  command(...words: (string | number | Buffer)[]): Promise<Reply>
}

/**
 * The Redis of this test run, `REDIS_URL`'s if that is set. It is shared: use keys of `uniquePrefix()`, flush nothing,
 * stop nothing. A suite that must do such things starts its own with `startRedis()`.
 */
export function sharedRedis(): SharedRedis {
  const url = inject('sharedRedisUrl')
  const address = addressOf(url)
  return { url, ...address, command: (...words) => askRedis(address, ...words) }
}

/** A key prefix that no other suite or run uses. */
export function uniquePrefix(name = 'test'): string {
  return `${name}:${randomUUID()}:`
}
