import { type Finding, type Reading, unread } from './finding.ts'
import { type Info, numberIn } from './info.ts'

const SLOTS = 16384

/** `info`: the fields of CLUSTER INFO, as one node sees it. */
export function judgeCluster(info: Reading<Info>): Finding {
  const check = 'cluster'
  if ('refused' in info) return unread(check, info.refused)
  const state = info.value.get('cluster_state') ?? '?'
  const served = numberIn(info.value, 'cluster_slots_ok') ?? 0
  const failing = (numberIn(info.value, 'cluster_slots_fail') ?? 0) + (numberIn(info.value, 'cluster_slots_pfail') ?? 0)
  const masters = numberIn(info.value, 'cluster_size') ?? 0
  const said = `state ${state}, ${masters} masters, ${served} of ${SLOTS} slots served`
  if (state !== 'ok' || served < SLOTS - failing) {
    return {
      check,
      level: 'fail',
      said,
      change: 'redis-cli --cluster check, then --cluster fix: keys of other slots fail',
    }
  }
  if (failing > 0) {
    const change = 'see which node fails in CLUSTER NODES; its keys fail until a replica takes over'
    return { check, level: 'warn', said: `${said}, ${failing} on nodes that fail`, change }
  }
  return { check, level: 'ok', said }
}
