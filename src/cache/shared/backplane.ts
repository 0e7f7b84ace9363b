import { splitVersion, withVersion } from '../../key-version.ts'
import type { Random } from '../../random.ts'
import { fullKey, ownKey, pathOf } from '../../full-key.ts'
import { type Broadcast, EVERY_PART, JOINED, NUMBER_AT, NUMBER_LENGTH } from '../../store/broadcast.ts'
import { partOf } from '../../store/key-part.ts'

/**
 * What a process tells the others. `key`: an entry was set or invalidated. `tag`: all entries with that tag were. `all`: a
 * namespace was cleared, or without a path the whole cache. `expired-key`: an entry was expired. `expired-tag`: all entries
 * with that tag were, each at its own moment within `over` ms.
 */
export type Change =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'all'; readonly path: string }
  | { readonly kind: 'expired-key'; readonly key: string }
  | { readonly kind: 'expired-tag'; readonly tag: string; readonly over: number }

/** A letter says what was changed. A capital letter says that it was changed in all instances of a migration. */
const KEY = 'k'
/** A key with a version: the version's length, `:`, the version, the key. The mark between the two has no form in UTF-8. */
const VERSIONED_KEY = 'v'
const TAG = 't'
const ALL = 'a'
const LOST = 'l'
/** A process that watches calls all processes. */
const CALL = 'w'
/** Followed by the name of a key, its letter first. */
const EXPIRED_KEY = 'e'
/** Followed by the ms, `:` and the name of the tag. */
const EXPIRED_TAG = 'x'
/** Stands between a namespace's path and a name in it. Paths have no control characters. */
const PATH_END = '\0'

/** A message begins with this many characters, which name its sender. In this release they include the message's number. */
const HEAD_LENGTH = 22
/** The head of a message with a number begins with this. Earlier releases use tokens as heads, which never do. */
const NUMBERED = '.'
const NO_NUMBER = '0'.repeat(NUMBER_LENGTH)

/** What a message says. */
export interface Heard {
  /** One more than the number of the previous message. `undefined` if the sender does not number its messages. */
  readonly number: number | undefined
  /** Empty if the message is our own or cannot be understood. */
  readonly changes: readonly HeardChange[]
  /** The inbox of a process that is gone. */
  readonly lost: string | undefined
  /** The call of a process that watches. */
  readonly call?: string
}

interface HeardChange {
  readonly change: Change
  /** Whether it was made in all instances of a migration. */
  readonly isEverywhere: boolean
}

/** The messages by which processes that share a prefix keep their memories in step. */
export class Backplane {
  readonly channel: string
  /** Key of the number of the last message. */
  readonly counter: string
  /** Distinguishes our own messages, which come back to us, from those of others. */
  readonly #sender: string
  readonly #isEverywhere: boolean

  /** `isEverywhere`: changes are made in several instances. */
  constructor(prefix: string, random: Random, isEverywhere: boolean) {
    this.channel = `${prefix}:backplane`
    this.counter = `${prefix}:changes`
    this.#sender = NUMBERED + random.token().slice(1 - NUMBER_AT)
    this.#isEverywhere = isEverywhere
  }

  announce(change: Change): Broadcast {
    const [kind, name] = write(change)
    const letter = this.#isEverywhere ? kind.toUpperCase() : kind
    const { channel, counter } = this
    const part = change.kind === 'key' || change.kind === 'expired-key' ? partOf(change.key) : EVERY_PART
    return { channel, counter, message: this.#sender + NO_NUMBER + letter + name, part }
  }

  /** Says that a process is gone; its inbox is added at the end. Names no sender, because we must hear it, too. */
  announceLost(): Broadcast {
    const { channel, counter } = this
    return { channel, counter, message: '-'.repeat(HEAD_LENGTH) + LOST, part: EVERY_PART }
  }

  /** A call to all processes, including this one. Earlier releases do not know the letter, and ignore it. */
  readonly writeCall = (text: string): string => '-'.repeat(HEAD_LENGTH) + CALL + text

  read(bytes: Buffer): Heard {
    const text = bytes.toString()
    const number = numberOf(text)
    const letter = text.charAt(HEAD_LENGTH)
    const rest = text.slice(HEAD_LENGTH + 1)
    if (letter.toLowerCase() === LOST) return { number, changes: [], lost: rest }
    if (letter === CALL) return { number, changes: [], lost: undefined, call: rest }
    if (text.startsWith(this.#sender)) return { number, changes: [], lost: undefined }
    const told = letter === JOINED ? split(bytes.subarray(HEAD_LENGTH + 1)) : [letter + rest]
    return { number, changes: told.flatMap((each) => readChange(each) ?? []), lost: undefined }
  }
}

function numberOf(text: string): number | undefined {
  if (!text.startsWith(NUMBERED)) return undefined
  const digits = text.slice(NUMBER_AT, NUMBER_AT + NUMBER_LENGTH)
  return /^[\da-f]+$/.test(digits) && digits !== NO_NUMBER ? Number.parseInt(digits, 16) : undefined
}

/** The parts of a message with several changes. Lengths are in bytes. */
function split(bytes: Buffer): string[] {
  const parts: string[] = []
  for (let at = 0; at < bytes.length;) {
    const colon = bytes.indexOf(':', at)
    const length = Number(bytes.toString('latin1', at, colon))
    if (colon === -1 || !Number.isSafeInteger(length) || length < 1) return parts
    at = colon + 1 + length
    parts.push(bytes.toString('utf8', colon + 1, at))
  }
  return parts
}

function readChange(told: string): HeardChange | undefined {
  const letter = told.charAt(0)
  const kind = letter.toLowerCase()
  const change = read(kind, told.slice(1))
  return change && { change, isEverywhere: letter !== kind }
}

function read(kind: string, name: string): Change | undefined {
  if (kind === ALL) return { kind: 'all', path: name }
  if (kind === EXPIRED_KEY) return readExpiredKey(name)
  if (kind === EXPIRED_TAG) return readExpiredTag(name)
  const end = name.indexOf(PATH_END)
  if (end === -1) return undefined
  const [path, own] = [name.slice(0, end), name.slice(end + 1)]
  if (kind === KEY) return { kind: 'key', key: fullKey(path, own) }
  if (kind === VERSIONED_KEY) return readVersioned(path, own)
  return kind === TAG ? { kind: 'tag', tag: fullKey(path, own) } : undefined
}

function readExpiredKey(name: string): Change | undefined {
  const change = read(name.charAt(0), name.slice(1))
  return change?.kind === 'key' ? { kind: 'expired-key', key: change.key } : undefined
}

function readExpiredTag(name: string): Change | undefined {
  const [head, over] = /^(\d+):/.exec(name) ?? []
  const change = read(TAG, name.slice(head?.length))
  return head !== undefined && change?.kind === 'tag'
    ? { kind: 'expired-tag', tag: change.tag, over: Number(over) }
    : undefined
}

function write(change: Change): [kind: string, name: string] {
  switch (change.kind) {
    case 'all':
      return [ALL, change.path]
    case 'key': {
      const [kind, own] = writeKey(ownKey(change.key))
      return [kind, pathOf(change.key) + PATH_END + own]
    }
    case 'tag':
      return [TAG, pathOf(change.tag) + PATH_END + ownKey(change.tag)]
    case 'expired-key':
      return [EXPIRED_KEY, write({ kind: 'key', key: change.key }).join('')]
    case 'expired-tag':
      return [EXPIRED_TAG, `${change.over}:${write({ kind: 'tag', tag: change.tag })[1]}`]
  }
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
