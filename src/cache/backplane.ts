import type { Random } from '../random.ts'
import type { Broadcast } from '../store/redis-store.ts'

export type BackplaneMessage = { readonly kind: 'changed'; readonly key: string } | { readonly kind: 'cleared' }

const CHANGED = 'k'
const CLEARED = 'c'

/** How processes tell each other that an entry was set, invalidated or, all of them, cleared. */
export class Backplane {
  readonly channel: string
  /** Tells our own messages, which come back to us, from those of others. */
  readonly #sender: string

  constructor(prefix: string, random: Random) {
    this.channel = `${prefix}:backplane`
    this.#sender = random.token()
  }

  changed(key: string): Broadcast {
    return { channel: this.channel, message: this.#sender + CHANGED + key }
  }

  cleared(): Broadcast {
    return { channel: this.channel, message: this.#sender + CLEARED }
  }

  /** What another process tells; `undefined` for our own messages and for what cannot be understood. */
  read(bytes: Buffer): BackplaneMessage | undefined {
    const text = bytes.toString()
    if (text.startsWith(this.#sender)) return undefined
    const body = text.slice(this.#sender.length)
    if (body.startsWith(CHANGED)) return { kind: 'changed', key: body.slice(1) }
    return body === CLEARED ? { kind: 'cleared' } : undefined
  }
}
