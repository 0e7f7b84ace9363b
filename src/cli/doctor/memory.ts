import { type Finding, type Reading, unread } from './finding.ts'
import { type Info, numberIn } from './info.ts'

const CHANGE_POLICY =
  'CONFIG SET maxmemory-policy volatile-lru, or allkeys-lru where all in it is cache; and in redis.conf'

/** What each eviction policy does to a lease, which is a young and short-lived key that is rarely read. */
const EVICTED_FIRST: Readonly<Record<string, string>> = {
  ttl: 'keys that end soonest go first, so leases of refills go before all entries: each costs one more load',
  lfu: 'keys that are seldom read go first, leases of refills among them: each costs one more load',
  random: 'any key may go, leases of refills and locks among them: each costs one more load, or a lost lock',
}

/** Share of maxmemory from which a larger write may be refused at any time. */
const NEARLY_FULL = 0.97

/** Whether there is a limit on memory, how near it is, and what is evicted then. Needs only INFO memory and stats. */
export function judgeMemory(info: Reading<Info>): Finding {
  const check = 'memory'
  if ('refused' in info) return unread(check, info.refused)
  const most = numberIn(info.value, 'maxmemory')
  const used = numberIn(info.value, 'used_memory')
  const policy = info.value.get('maxmemory_policy')
  if (most === undefined || used === undefined || policy === undefined) return unread(check, 'INFO names no maxmemory')
  if (most === 0) {
    return {
      ...{ check, level: 'warn', said: `${bytes(used)} used, no maxmemory: it grows until the system ends it` },
      change: 'CONFIG SET maxmemory to what the machine has to spare, with maxmemory-policy volatile-lru',
    }
  }
  const filled = `${bytes(used)} of ${bytes(most)} used, ${policy}`
  if (policy === 'noeviction') return judgeNoEviction(filled, used >= most * NEARLY_FULL)
  const evicted = numberIn(info.value, 'evicted_keys') ?? 0
  const said = evicted === 0 ? filled : `${filled}, ${evicted} keys evicted since its start`
  const kind = policy.split('-')[1] ?? ''
  const harm = EVICTED_FIRST[kind]
  if (harm !== undefined) return { check, level: 'warn', said: `${said}: ${harm}`, change: CHANGE_POLICY }
  if (kind === 'lru' || kind === 'lrm') return { check, level: 'ok', said }
  return { check, level: 'unknown', said: `${said}: a policy that is not known here` }
}

function judgeNoEviction(filled: string, isFull: boolean): Finding {
  const check = 'memory'
  if (isFull) {
    return {
      ...{ check, level: 'fail', said: `${filled}: it is full and refuses writes, so nothing is stored or leased` },
      change: `${CHANGE_POLICY}; or raise maxmemory`,
    }
  }
  return {
    ...{ check, level: 'warn', said: `${filled}: once full it refuses writes, and each process loads for itself` },
    change: CHANGE_POLICY,
  }
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB']

export function bytes(count: number): string {
  const power = Math.min(Math.max(Math.floor(Math.log2(Math.max(count, 1)) / 10), 0), UNITS.length - 1)
  const amount = count / 1024 ** power
  return `${power === 0 || amount >= 100 ? Math.round(amount) : Number(amount.toPrecision(3))} ${UNITS[power]}`
}
