import { isErrorReply } from '../../redis/client-error.ts'
import type { Connection } from '../../redis/connection.ts'
import { entryKeys } from '../../redis/entry-keys.ts'
import { lockKeys } from '../../redis/lock-keys.ts'
import { claim } from '../../redis/scripts/claim.ts'
import { TOKEN_PREFIX } from '../../redis/scripts/tell.ts'
import { PRESENT_STREAM } from '../../redis/stream-keys.ts'
import { lockAcquire } from '../../redis/scripts/lock-acquire.ts'
import { lockRelease } from '../../redis/scripts/lock-release.ts'
import { overwrite } from '../../redis/scripts/overwrite.ts'
import { settle } from '../../redis/scripts/settle.ts'
import { encodeHead } from '../../store/envelope.ts'
import { AGAIN } from '../../store/notice.ts'
import { lifeOf, NOT_KEPT } from '../../store/storing.ts'
import type { Finding } from './finding.ts'
import { refused } from './refusal.ts'

/** ms after which keys that a check may leave behind expire. */
const LIVES = 5000

export interface Trial {
  readonly connection: Connection
  readonly prefix: string
  /** A key that nobody uses, in a slot of this node. */
  readonly key: string
  /** Unguessable. */
  readonly token: string
}

/** Each asks Redis for the same operations as the cache or the lock, with their scripts and similar keys. */
export async function tryScripts({ connection, prefix, key, token }: Trial): Promise<Finding> {
  const check = 'scripts'
  const keys = entryKeys(prefix, key)
  const args = [LIVES, '', '', AGAIN, 0, `${TOKEN_PREFIX}:${token}`]
  // The second call uses the hash. It recognises its own lease.
  for (const right of ['eval', 'evalsha']) {
    const error = await failureOf(connection.run(claim, [keys.value, keys.lease, keys.waiters, keys.last], args))
    if (error !== undefined) {
      return refused(check, right.toUpperCase(), error, `+@scripting ~${prefix}:*`)
    }
  }
  const error = await failureOf(connection.load(claim))
  if (error !== undefined)
    return refused(check, 'SCRIPT LOAD, which Locker.prepare needs,', error, '+script|load', 'warn')
  return { check, level: 'ok', said: 'EVAL, EVALSHA and SCRIPT LOAD are allowed' }
}

/** A refill from claim to end, and an invalidation. */
export async function tryEntries({ connection, prefix, key, token }: Trial): Promise<Finding> {
  const check = 'entries'
  const { value, lease, waiters, last } = entryKeys(prefix, key)
  const changed = [value, lease, waiters, last, lockKeys(connection.client, lease).queue]
  const owner = `${TOKEN_PREFIX}:${token}`
  const bytes = encodeHead({ kind: 'value', loadTime: 0, tags: [] })
  const ending = [`${owner} ${lifeOf({ ...NOT_KEPT, ttl: LIVES })} b`, bytes]
  const removal = ['', `${prefix}:backplane`, '', '', '', 0, '', lifeOf(NOT_KEPT), value, AGAIN, '', '', '']
  const steps: readonly [what: string, right: string, run: () => Promise<unknown>][] = [
    ['claiming a refill', '', () => connection.run(claim, changed.slice(0, 4), [LIVES, token, '', AGAIN, 0, owner])],
    ['storing an entry', '', () => connection.run(settle, changed, ['', '', AGAIN, '', 0, ...ending])],
    ['reading an entry', '+get', () => connection.commandBuffer('get', value)],
    ['reading several', '+mget', () => connection.commandBuffer('mget', value)],
    ['removing an entry', '', () => connection.run(overwrite, [...changed, value + PRESENT_STREAM], removal)],
  ]
  for (const [what, right, run] of steps) {
    const error = await failureOf(run())
    if (error !== undefined)
      return refused(check, what, error, `${right || '+@read +@write'} ~${prefix}:* ~herdlock:queue:*`)
  }
  return { check, level: 'ok', said: 'an entry could be claimed, stored, read and removed' }
}

/** Only users of `Locker` need it. */
export async function tryLocks({ connection, prefix, key, token }: Trial): Promise<Finding> {
  const check = 'locks'
  const { lock, queue, chain } = lockKeys(connection.client, `${prefix}:{${key}}:lock`)
  const owner = `${TOKEN_PREFIX}:${token}`
  const rights = '+@read +@write ~herdlock:* and the keys of your locks'
  const taken = await failureOf(connection.run(lockAcquire, [lock, queue, chain], [owner, LIVES, '1', '']))
  if (taken !== undefined) return refused(check, 'taking a lock, for Locker alone,', taken, rights, 'warn')
  const released = await failureOf(connection.run(lockRelease, [lock, queue, chain], [owner, '', '']))
  if (released !== undefined) return refused(check, 'releasing a lock, for Locker alone,', released, rights, 'warn')
  return { check, level: 'ok', said: 'a lock could be taken and released' }
}

/** Only `cache.clear()` and `herdlock inspect` need it. */
export async function tryClearing({ connection, prefix, key }: Trial): Promise<Finding> {
  const check = 'clearing'
  const scanned = await failureOf(connection.command('scan', '0', 'MATCH', `${prefix}:{${key}}`, 'COUNT', 1))
  if (scanned !== undefined) return refused(check, 'SCAN, for cache.clear() alone,', scanned, '+scan', 'warn')
  const unlinked = await failureOf(connection.command('unlink', entryKeys(prefix, key).value))
  if (unlinked !== undefined) return refused(check, 'UNLINK, for cache.clear() alone,', unlinked, '+unlink', 'warn')
  return { check, level: 'ok', said: 'SCAN and UNLINK are allowed' }
}

/** The error with which Redis refused an operation. A missing answer is not a refusal, and is passed on to the caller. */
async function failureOf(operation: Promise<unknown>): Promise<unknown> {
  try {
    await operation
    return undefined
  } catch (error) {
    if (!isErrorReply(error)) throw error
    return error
  }
}
