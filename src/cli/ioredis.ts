import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { IoredisClient } from '../redis/clients/ioredis-client.ts'

/** What is needed of ioredis, 5 or 6. */
export interface Ioredis {
  readonly Redis: new (options: object) => IoredisClient & { connect(): Promise<void> }
}

/** There is no ioredis beside herdlock, nor where the command was called. */
export class MissingIoredis extends Error {
  override readonly name = 'MissingIoredis'

  constructor() {
    super('ioredis is needed to speak to Redis: npm install ioredis, or npx -p herdlock -p ioredis herdlock …')
  }
}

/** The user's ioredis: the one beside herdlock, or else, where npx keeps herdlock apart, that of the project. */
export async function loadIoredis(folder: string): Promise<Ioredis> {
  try {
    return (await import('ioredis')) as unknown as Ioredis
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  try {
    const file = createRequire(join(folder, 'package.json')).resolve('ioredis')
    return (await import(pathToFileURL(file).href)) as Ioredis
  } catch (error) {
    throw isMissing(error) ? new MissingIoredis() : error
  }
}

function isMissing(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
}
