import { TOKEN_PREFIX } from '../redis/scripts/tell.ts'
import type { Random } from '../random.ts'

/**
 * A new token. It cannot be guessed. It shows other holders that its owner takes part in the queue, and it names the
 * inbox where the owner hears of its turn.
 */
export function createToken(inboxId: string, random: Random): string {
  return `${TOKEN_PREFIX}${inboxId}:${random.token()}`
}
