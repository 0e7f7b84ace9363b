import type { Finding } from './finding.ts'

/**
 * ms. A median above the first makes a hit in Redis expensive. One PING in a hundred above the second is near
 * `commandTimeout`.
 */
const SLOW_MEDIAN = 5
const SLOW_TAIL = 100

/** `samples`: ms of PINGs, one after the other; `commandTimeout`: ms. */
export function judgeLatency(samples: readonly number[], commandTimeout: number): Finding {
  const check = 'latency'
  const sorted = [...samples].sort((one, other) => one - other)
  const at = (share: number): number => sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? NaN
  const [median, tail] = [at(0.5), at(0.99)]
  const said = `p50 ${ms(median)}, p99 ${ms(tail)} of ${samples.length} PINGs`
  if (tail >= commandTimeout) {
    return {
      ...{
        check,
        level: 'fail',
        said: `${said}: longer than commandTimeout (${commandTimeout} ms)`,
      },
      change: 'find out what keeps Redis busy (SLOWLOG GET, LATENCY DOCTOR), or bring it nearer',
    }
  }
  if (tail > Math.min(SLOW_TAIL, commandTimeout / 2)) {
    const change = 'look at SLOWLOG GET and LATENCY DOCTOR; keep commandTimeout well above p99'
    return {
      check,
      level: 'warn',
      said: `${said}: every operation ends at commandTimeout (${commandTimeout} ms)`,
      change,
    }
  }
  if (median > SLOW_MEDIAN) {
    const change =
      'bring Redis nearer, or give memory.ttl more time: each miss and each hit in Redis costs one round trip'
    return { check, level: 'warn', said, change }
  }
  return { check, level: 'ok', said }
}

/** ms from which clocks count as different, beyond the uncertainty of the measurement. */
const APART = 1000

/** `skew`: ms by which Redis's clock is ahead of this host's, within `uncertainty` ms. */
export function judgeClock(skew: number, uncertainty: number): Finding {
  const check = 'clock'
  const by = `${ms(Math.abs(skew))} ${skew < 0 ? 'behind' : 'ahead of'} this host, ± ${ms(uncertainty)}`
  if (Math.abs(skew) - uncertainty < APART)
    return { check, level: 'ok', said: `${by}; Redis's clock is the one that counts` }
  return {
    ...{ check, level: 'warn', said: `${by}: no harm while it lasts, as Redis's clock alone counts` },
    change: 'let NTP set both: after a failover entries live longer or shorter by the difference of the two servers',
  }
}

function ms(duration: number): string {
  return `${duration >= 10 ? Math.round(duration) : Number(duration.toPrecision(2))} ms`
}
