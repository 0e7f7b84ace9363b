import { splitVersion, withVersion } from '../../key-version.ts'
import type { Random } from '../../random.ts'
import type { Broadcast } from '../../store/overwrites.ts'

/** What a process tells the others: an entry was set or invalidated, all that have a tag were, or all were cleared. */
export type Change =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'all' }

/** A letter says what was changed; a capital one, that it was changed in all instances of a migration. */
const KEY = 'k'
/** A key with a version: the length of that, `:`, the version, the key. The mark between them has no form in UTF-8. */
const VERSIONED_KEY = 'v'
const TAG = 't'
const ALL = 'a'

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
  if (kind === KEY) return { kind: 'key', key: name }
  if (kind === VERSIONED_KEY) return readVersioned(name)
  if (kind === TAG) return { kind: 'tag', tag: name }
  return kind === ALL ? { kind: 'all' } : undefined
}

function write(change: Change): [kind: string, name: string] {
  if (change.kind === 'key') return writeKey(change.key)
  return change.kind === 'tag' ? [TAG, change.tag] : [ALL, '']
}

function writeKey(named: string): [kind: string, name: string] {
  const { key, version } = splitVersion(named)
  return version === undefined ? [KEY, key] : [VERSIONED_KEY, `${version.length}:${version}${key}`]
}

function readVersioned(name: string): Change | undefined {
  const [head, length] = /^(\d+):/.exec(name) ?? []
  if (head === undefined) return undefined
  const keyAt = head.length + Number(length)
  return { kind: 'key', key: withVersion(name.slice(keyAt), name.slice(head.length, keyAt)) }
}
