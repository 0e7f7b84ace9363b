import { systemClock } from '../../clock.ts'
import { systemRandom } from '../../random.ts'
import { isErrorReply } from '../../redis/client-error.ts'
import { hashSlot } from '../../redis/hash-slot.ts'
import type { DoctorRequest } from '../arguments.ts'
import type { SlotRange } from '../cluster-nodes.ts'
import type { RedisNode } from '../node.ts'
import { judgeCluster } from './cluster.ts'
import { type Finding, type Reading } from './finding.ts'
import { type Info, parseInfo } from './info.ts'
import { judgeMemory } from './memory.ts'
import { tryMessages } from './messages.ts'
import { tryKeys, tryReads } from './routing.ts'
import { isLogInRefused, messageOf, refused } from './refusal.ts'
import { tryClearing, tryEntries, tryLocks, tryScripts } from './rights.ts'
import { judgeConnections, judgeRole, judgeVersion } from './server.ts'
import { tryShard } from './shards.ts'
import { judgeClock, judgeLatency } from './timing.ts'

const PINGS = 100

/** The findings about one node. */
export interface Examination {
  readonly findings: readonly Finding[]
  /** The id of the running server. Two URLs with the same id are one Redis. */
  readonly runId: string | undefined
  /** It stopped answering, so the remaining checks were left out. */
  readonly isUnreachable: boolean
}

/** Checks one node from outside. Ends at the first command that is not answered within `timeout` ms. */
export async function examine(
  node: RedisNode,
  {
    prefix,
    timeout,
    slots,
    processes,
    commandTimeout,
  }: Pick<DoctorRequest, 'prefix' | 'timeout' | 'processes' | 'commandTimeout'> & {
    slots: readonly SlotRange[] | undefined
  },
): Promise<Examination> {
  const findings: Finding[] = []
  let runId: string | undefined
  const { connection } = node
  try {
    const logIn = await logInFailure(node)
    if (logIn !== undefined) return { findings: [logIn], runId, isUnreachable: false }
    const info = await read(connection.command('info'), (reply) => parseInfo(String(reply)))
    runId = 'value' in info ? info.value.get('run_id') : undefined
    findings.push(judgeVersion(info))
    const role = judgeRole(info)
    findings.push(role)
    if (slots !== undefined) {
      const reading = await read(connection.command('cluster', 'info'), (reply) => parseInfo(String(reply)))
      findings.push(judgeCluster(reading))
    }
    if (isSentinel(info)) return { findings, runId, isUnreachable: false }
    findings.push(judgeMemory(info), judgeConnections(info, processes))
    findings.push(await measureLatency(node, commandTimeout), await measureClock(node))
    const trial = { connection, prefix, key: keyIn(slots), token: systemRandom.token() }
    if (role.level !== 'fail') {
      const scripts = await tryScripts(trial)
      findings.push(scripts)
      // Without scripts, they would fail for the same reason.
      if (scripts.level !== 'fail') findings.push(await tryEntries(trial), await tryLocks(trial))
      findings.push(await tryClearing(trial), await tryReads(trial))
      if (slots === undefined) findings.push(await tryKeys(trial))
    }
    findings.push(await tryMessages(node, prefix, trial.token, timeout))
    if (slots !== undefined) findings.push(await tryShard(node, trial.key, trial.token, timeout))
    return { findings, runId, isUnreachable: false }
  } catch (error) {
    return { findings: [...findings, unanswered(error)], runId, isUnreachable: !isRefusal(error) }
  }
}

/** The finding about a node that could not be examined completely. */
export function unanswered(error: unknown): Finding {
  const { cause } = error as { cause?: unknown }
  if (isErrorReply(cause)) return refused('login', 'logging in', cause, '')
  return {
    ...{ check: 'answer', level: 'fail', said: messageOf(error) },
    change: 'see whether it runs, whether host, port and TLS are right, and what stands between',
  }
}

/** Whether Redis refused, rather than the connection to it failed. */
export function isRefusal(error: unknown): boolean {
  return isErrorReply((error as { cause?: unknown }).cause)
}

async function logInFailure({ connection }: RedisNode): Promise<Finding | undefined> {
  try {
    await connection.command('ping')
    return undefined
  } catch (error) {
    if (!isErrorReply(error)) throw error
    return isLogInRefused(error) || !messageOf(error).startsWith('NOPERM')
      ? refused('login', 'logging in', error, '')
      : undefined
  }
}

function isSentinel(info: Reading<Info>): boolean {
  return 'value' in info && info.value.get('redis_mode') === 'sentinel'
}

async function read<T>(reply: Promise<unknown>, parse: (reply: unknown) => T): Promise<Reading<T>> {
  try {
    return { value: parse(await reply) }
  } catch (error) {
    if (!isErrorReply(error)) throw error
    return { refused: messageOf(error) }
  }
}

async function measureLatency({ connection }: RedisNode, commandTimeout: number): Promise<Finding> {
  const samples: number[] = []
  try {
    for (let count = 0; count < PINGS; count++) {
      const sentAt = systemClock.now()
      await connection.command('ping')
      samples.push(systemClock.now() - sentAt)
    }
  } catch (error) {
    if (!isErrorReply(error)) throw error
    return refused('latency', 'PING', error, '+ping', 'unknown')
  }
  return judgeLatency(samples, commandTimeout)
}

async function measureClock({ connection }: RedisNode): Promise<Finding> {
  const sentAt = systemClock.wallNow()
  try {
    const [seconds, micros] = (await connection.command('time')) as [string, string]
    const uncertainty = (systemClock.wallNow() - sentAt) / 2
    const skew = Number(seconds) * 1000 + Number(micros) / 1000 - (sentAt + uncertainty)
    return judgeClock(skew, Math.max(uncertainty, 1))
  } catch (error) {
    if (!isErrorReply(error)) throw error
    return refused('clock', 'TIME', error, '+time')
  }
}

/** A name whose hash slot is in one of the ranges; any name if there are no slots. */
function keyIn(slots: readonly SlotRange[] | undefined): string {
  const name = `doctor-${systemRandom.token()}`
  if (slots === undefined) return name
  for (let number = 0; number < 200_000; number++) {
    const slot = hashSlot(`${name}-${number}`)
    if (slots.some(({ first, last }) => first <= slot && slot <= last)) return `${name}-${number}`
  }
  return name
}
