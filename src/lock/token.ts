import { TOKEN_PREFIX } from '../redis/scripts/tell.ts'
import type { Random } from '../random.ts'

/**
 * A new token. It is unguessable, tells other holders that its owner takes part in the queue, and tells whoever
 * releases the lock the inbox where its owner is told of its turn.
 */
export function createToken(inboxId: string, random: Random): string {
  return `${TOKEN_PREFIX}${inboxId}:${random.token()}`
}
