import { type Finding, type Reading, unread } from './finding.ts'
import { type Info, numberIn } from './info.ts'

const OLDEST = [6, 2] as const

/** Name and version for people, from INFO. */
function productOf(info: Info): string {
  const valkey = info.get('valkey_version')
  return valkey === undefined ? `Redis ${info.get('redis_version') ?? '?'}` : `Valkey ${valkey}`
}

/** Scripts that write after TIME, SET with its options, and GETEX need Redis 6.2. Every Valkey is newer. */
export function judgeVersion(info: Reading<Info>): Finding {
  const check = 'version'
  if ('refused' in info) return unread(check, info.refused)
  const version = info.value.get('redis_version') ?? ''
  const [major = NaN, minor = NaN] = version.split('.').map(Number)
  if (Number.isNaN(major + minor)) return unread(check, 'INFO names no redis_version')
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])
  const product = productOf(info.value)
  if (!isOld) return { check, level: 'ok', said: product }
  return { check, level: 'fail', said: `${product} is too old`, change: 'use Redis 6.2 or newer, or Valkey' }
}

export function judgeRole(info: Reading<Info>): Finding {
  const check = 'role'
  if ('refused' in info) return unread(check, info.refused)
  if (info.value.get('redis_mode') === 'sentinel') {
    return {
      ...{ check, level: 'fail', said: 'this is Sentinel, which keeps no data' },
      change: 'give the URL of the Redis that it watches; an application names Sentinel to its ioredis client',
    }
  }
  if (info.value.get('role') !== 'master') {
    const master = `${info.value.get('master_host') ?? '?'}:${info.value.get('master_port') ?? '?'}`
    return {
      ...{ check, level: 'fail', said: `a replica of ${master}: what is written here is refused, or lost` },
      change: 'let clients connect to the master, by Sentinel or Cluster where it may change',
    }
  }
  const replicas = numberIn(info.value, 'connected_slaves') ?? 0
  return { check, level: 'ok', said: `master, ${replicas === 1 ? '1 replica' : `${replicas} replicas`}` }
}

/** Share of connections in use that is still fine. */
const CROWDED = 0.8
/** Connections of a process: one for commands, one for messages. */
const CONNECTIONS_A_PROCESS = 2

/** `processes`: how many there will be, if known. */
export function judgeConnections(info: Reading<Info>, processes?: number): Finding {
  const check = 'clients'
  if ('refused' in info) return unread(check, info.refused)
  const used = numberIn(info.value, 'connected_clients')
  const most = numberIn(info.value, 'maxclients')
  if (used === undefined || most === undefined) return unread(check, 'INFO names no maxclients')
  const said = `${used} of ${most} connections are in use; a process of yours takes two`
  if (processes !== undefined) {
    const needed = processes * CONNECTIONS_A_PROCESS
    const plan = `${said}: ${processes} would take ${needed}`
    const change = `raise maxclients above ${used + needed}: a client above it is turned away`
    if (needed > most) return { check, level: 'fail', said: plan, change }
    if (used + needed > most) return { check, level: 'warn', said: `${plan}, beside those in use`, change }
    return { check, level: 'ok', said: plan }
  }
  if (used < most * CROWDED) return { check, level: 'ok', said }
  return { check, level: 'warn', said, change: 'raise maxclients: a client above it is turned away' }
}
