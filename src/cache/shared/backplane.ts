import { splitVersion, withVersion } from '../../key-version.ts'
import type { Random } from '../../random.ts'
import { fullKey, ownKey, pathOf } from '../../full-key.ts'
import type { Broadcast } from '../../store/overwrites.ts'

/**
 * What a process tells the others: an entry was set or invalidated, all that have a tag were, or all of a namespace were
 * cleared, which without a path is the whole cache.
 */
export type Change =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'all'; readonly path: string }

/** A letter says what was changed; a capital one, that it was changed in all instances of a migration. */
const KEY = 'k'
/** A key with a version: the length of that, `:`, the version, the key. The mark between them has no form in UTF-8. */
const VERSIONED_KEY = 'v'
const TAG = 't'
const ALL = 'a'
/** Stands between a namespace's path and a name in it. Paths have no control characters. */
const PATH_END = '\0'

/** How the processes that share a prefix keep what they hold in memory in step. */
export class Backplane {
  readonly channel: string
  /** Tells our own messages, which come back to us, from those of others. */
  readonly #sender: string
  readonly #isEverywhere: boolean

  /** `isEverywhere`: changes are made in several instances. */
  constructor(prefix: string, random: Random, isEverywhere: boolean) {
    this.channel = `${prefix}:backplane`
    this.#sender = random.token()
    this.#isEverywhere = isEverywhere
  }

  announce(change: Change): Broadcast {
    const [kind, name] = write(change)
    return { channel: this.channel, message: this.#sender + (this.#isEverywhere ? kind.toUpperCase() : kind) + name }
  }

  /** What another process tells, and whether of all instances; `undefined` for our own messages and what is none. */
  read(bytes: Buffer): { readonly change: Change; readonly isEverywhere: boolean } | undefined {
    const text = bytes.toString()
    if (text.startsWith(this.#sender)) return undefined
    const letter = text.charAt(this.#sender.length)
    const kind = letter.toLowerCase()
    const change = read(kind, text.slice(this.#sender.length + 1))
    return change && { change, isEverywhere: letter !== kind }
  }
}

function read(kind: string, name: string): Change | undefined {
  if (kind === ALL) return { kind: 'all', path: name }
  const end = name.indexOf(PATH_END)
  if (end === -1) return undefined
  const [path, own] = [name.slice(0, end), name.slice(end + 1)]
  if (kind === KEY) return { kind: 'key', key: fullKey(path, own) }
  if (kind === VERSIONED_KEY) return readVersioned(path, own)
  return kind === TAG ? { kind: 'tag', tag: fullKey(path, own) } : undefined
}

function write(change: Change): [kind: string, name: string] {
  if (change.kind === 'all') return [ALL, change.path]
  const [kind, own] = change.kind === 'key' ? writeKey(ownKey(change.key)) : ([TAG, ownKey(change.tag)] as const)
  return [kind, pathOf(change.kind === 'key' ? change.key : change.tag) + PATH_END + own]
}

function writeKey(named: string): [kind: string, name: string] {
  const { key, version } = splitVersion(named)
  return version === undefined ? [KEY, key] : [VERSIONED_KEY, `${version.length}:${version}${key}`]
}

function readVersioned(path: string, name: string): Change | undefined {
  const [head, length] = /^(\d+):/.exec(name) ?? []
  if (head === undefined) return undefined
  const keyAt = head.length + Number(length)
  return { kind: 'key', key: withVersion(fullKey(path, name.slice(keyAt)), name.slice(head.length, keyAt)) }
}
