import { createRequire } from 'node:module'
import { join } from 'node:path'
import { glide } from './glide.ts'
import { ioredis, iovalkey } from './ioredis.ts'
import type { Library, Open } from './library.ts'
import { nodeRedis } from './node-redis.ts'

const LIBRARIES = [ioredis, iovalkey, nodeRedis, glide] as unknown as readonly Library[]

/** There is no client beside herdlock, nor in the folder where the command was called. */
export class MissingClient extends Error {
  override readonly name = 'MissingClient'

  constructor() {
    const [first, ...others] = LIBRARIES.map(({ name }) => name)
    super(
      `a client is needed to speak to Redis: npm install ${first}, or npx -p herdlock -p ${first} herdlock …; ` +
        `${others.join(', ')} will do as well`,
    )
  }
}

/** The user's client: one beside herdlock or, because npx may keep herdlock elsewhere, one of the project in `folder`. */
export function findClient(folder: string): Open {
  for (const place of [import.meta.url, join(folder, 'package.json')]) {
    for (const library of LIBRARIES) {
      const exports = exportsOf(library.name, createRequire(place))
      if (exports !== undefined && library.sign in exports) return library.opener(exports)
    }
  }
  throw new MissingClient()
}

/** The exports of a package; `undefined` if there is no package with that name. */
function exportsOf(name: string, require: NodeJS.Require): object | undefined {
  let file: string
  try {
    file = require.resolve(name)
  } catch {
    return undefined
  }
  return require(file) as object
}
