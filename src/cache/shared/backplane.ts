import type { Random } from '../../random.ts'
import type { Broadcast } from '../../store/redis-store.ts'

/** What a process tells the others: an entry was set or invalidated, all that have a tag were, or all were cleared. */
export type Change =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'all' }

const KEY = 'k'
const TAG = 't'
const ALL = 'a'

/** How the processes that share a prefix keep what they hold in memory in step. */
export class Backplane {
  readonly channel: string
  /** Tells our own messages, which come back to us, from those of others. */
  readonly #sender: string

  constructor(prefix: string, random: Random) {
    this.channel = `${prefix}:backplane`
    this.#sender = random.token()
  }

  announce(change: Change): Broadcast {
    return { channel: this.channel, message: this.#sender + write(change) }
  }

  /** What another process tells; `undefined` for our own messages and for what cannot be understood. */
  read(bytes: Buffer): Change | undefined {
    const text = bytes.toString()
    if (text.startsWith(this.#sender)) return undefined
    const kind = text.charAt(this.#sender.length)
    const name = text.slice(this.#sender.length + 1)
    if (kind === KEY) return { kind: 'key', key: name }
    if (kind === TAG) return { kind: 'tag', tag: name }
    return kind === ALL ? { kind: 'all' } : undefined
  }
}

function write(change: Change): string {
  if (change.kind === 'key') return KEY + change.key
  return change.kind === 'tag' ? TAG + change.tag : ALL
}
