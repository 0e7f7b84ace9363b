import type { ClientPort } from './client-port.ts'
import { hashedPart, hashSlot } from './hash-slot.ts'

/** The keys of one lock. All are in the Cluster slot of the caller's own key, so one script may use them. */
export interface LockKeys {
  /** The caller's key itself, unprefixed: other implementations of the recipe use the same. */
  readonly lock: string
  /** Sorted set of the waiting tokens, in order of arrival. */
  readonly queue: string
  /** How long the lock has been handed on without a break; a mark that it was left free on purpose. */
  readonly chain: string
  /** The last fencing number. */
  readonly fence: string
}

/** The prefix of the keys of all queues. */
export const QUEUES_BEGINNING = 'herdlock:queue:{'

export function lockKeys(client: Pick<ClientPort, 'keyPrefix'>, key: string): LockKeys {
  const tag = hashTagFor(client.keyPrefix + key)
  return {
    lock: key,
    queue: `${QUEUES_BEGINNING}${tag}}:${key}`,
    chain: `herdlock:chain:{${tag}}:${key}`,
    fence: `herdlock:fence:{${tag}}:${key}`,
  }
}

/** The key of the queue of that lock alone. */
export function queueKey(client: Pick<ClientPort, 'keyPrefix'>, key: string): string {
  return `${QUEUES_BEGINNING}${hashTagFor(client.keyPrefix + key)}}:${key}`
}

const QUEUE = /^[^{}]*\{[^{}]*\}:(.+)$/s

/** The key of the lock whose queue has that key. */
export function lockOfQueue(queue: string): string | undefined {
  return QUEUE.exec(queue)?.[1]
}

/**
 * A text that, between braces, hashes to the slot of `key`. A key that contains `}` cannot be put between braces, so a
 * number of the same slot replaces it.
 */
function hashTagFor(key: string): string {
  const hashed = hashedPart(key)
  return hashed.includes('}') ? numberInSlot(hashSlot(key)) : hashed
}

/** The lowest number of each slot seen so far: at most 16384, found by going through the integers once. */
const numbersBySlot = new Map<number, string>()
let nextNumber = 0

function numberInSlot(slot: number): string {
  while (!numbersBySlot.has(slot)) {
    const number = String(nextNumber++)
    const itsSlot = hashSlot(number)
    if (!numbersBySlot.has(itsSlot)) numbersBySlot.set(itsSlot, number)
  }
  return numbersBySlot.get(slot) as string
}
