import { isCrossSlot, isErrorReply } from '../../redis/client-error.ts'
import type { Finding } from './finding.ts'
import { refused } from './refusal.ts'
import type { Trial } from './rights.ts'

/** Values that are written and read back at once. */
const READS = 20
/** ms after which what a check may leave behind is gone by itself. */
const LIVES = 5000

/** Whether a read sees what was just written. A proxy or a service that sends reads to replicas returns the old value. */
export async function tryReads({ connection, prefix, key }: Trial): Promise<Finding> {
  const name = `${prefix}:{${key}}:reads`
  const seen: (string | null)[] = []
  try {
    for (let number = 0; number < READS; number++) {
      await connection.command('set', name, number, 'PX', LIVES)
      seen.push((await connection.command('get', name)) as string | null)
    }
    await connection.command('del', name)
  } catch (error) {
    if (!isErrorReply(error)) throw error
    return refused('reads', 'SET, GET and DEL', error, `+set +get +del ~${prefix}:*`, 'unknown')
  }
  return judgeReads(seen)
}

/** `seen`: what was read right after writing 0, 1, 2 … */
export function judgeReads(seen: readonly (string | null)[]): Finding {
  const check = 'reads'
  const old = seen.filter((value, number) => value !== String(number)).length
  if (old === 0) return { check, level: 'ok', said: 'what was written is read at once' }
  return {
    ...{ check, level: 'warn', said: `${old} of ${seen.length} reads did not show what had just been written` },
    change: 'send reads to the master: something between here and Redis sends them to a replica',
  }
}

/** Whether one command may ask for keys of several hash slots. herdlock also works if it may not. */
export async function tryKeys({ connection, prefix, key }: Trial): Promise<Finding> {
  const check = 'keys'
  const names = ['a', 'b', 'c'].map((tag) => `${prefix}:{${key}-${tag}}`)
  try {
    await connection.command('mget', ...names)
  } catch (error) {
    if (!isErrorReply(error)) throw error
    if (!isCrossSlot(error)) return refused(check, 'MGET', error, `+mget ~${prefix}:*`, 'warn')
    const said =
      'keys of several hash slots are refused together, so each slot is asked by itself: sharded behind one address'
    return { check, level: 'ok', said }
  }
  return { check, level: 'ok', said: 'several keys can be asked for at once' }
}
