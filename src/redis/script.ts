import { createHash } from 'node:crypto'

/** A Lua script. The header of its file under `scripts/` describes its KEYS, ARGV and replies. */
export interface Script {
  readonly source: string
  /** SHA-1 of the source, in hexadecimal: the name under which Redis caches it. */
  readonly sha: string
}

export function defineScript(source: string): Script {
  return { source, sha: createHash('sha1').update(source).digest('hex') }
}
