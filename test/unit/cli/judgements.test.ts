import { describe, expect, it } from 'vitest'
import { judgeCluster } from '../../../src/cli/doctor/cluster.ts'
import { type Finding, type Level } from '../../../src/cli/doctor/finding.ts'
import { parseInfo } from '../../../src/cli/doctor/info.ts'
import { bytes, judgeMemory } from '../../../src/cli/doctor/memory.ts'
import { judgeReads } from '../../../src/cli/doctor/routing.ts'
import { refused } from '../../../src/cli/doctor/refusal.ts'
import { exitCodeOf } from '../../../src/cli/doctor/report.ts'
import { judgeConnections, judgeRole, judgeVersion } from '../../../src/cli/doctor/server.ts'
import { judgeClock, judgeLatency } from '../../../src/cli/doctor/timing.ts'

const info = (text: string) => ({ value: parseInfo(text.trim().replaceAll(' ', '\r\n')) })
const UNREAD = { refused: 'NOPERM no permissions to run the info command' }

describe('version', () => {
  it.each([
    ['redis_version:7.0.15', 'ok', 'Redis 7.0.15'],
    ['redis_version:6.2.0', 'ok', 'Redis 6.2.0'],
    ['redis_version:7.2.4 valkey_version:8.1.1', 'ok', 'Valkey 8.1.1'],
    ['redis_version:6.0.16', 'fail', 'Redis 6.0.16 is too old'],
    ['redis_version:5.0.7', 'fail', 'Redis 5.0.7 is too old'],
    ['redis_version:unstable', 'unknown', 'could not be read: INFO names no redis_version'],
  ])('%s is %s', (text, level, said) => {
    expect(judgeVersion(info(text))).toMatchObject({ level, said })
  })
})

describe('role', () => {
  it('of a master is fine, of a replica and of Sentinel it is not', () => {
    expect(judgeRole(info('redis_mode:standalone role:master connected_slaves:2')).level).toBe('ok')
    expect(judgeRole(info('role:slave master_host:10.0.0.1 master_port:6379'))).toMatchObject({ level: 'fail' })
    expect(judgeRole(info('redis_mode:sentinel'))).toMatchObject({ level: 'fail' })
  })
})

describe('memory', () => {
  const memory = (used: number, most: number, policy: string) =>
    judgeMemory(info(`used_memory:${used} maxmemory:${most} maxmemory_policy:${policy} evicted_keys:3`))

  it.each([
    [5e6, 0, 'noeviction', 'warn'],
    [5e6, 1e8, 'noeviction', 'warn'],
    [1e8, 1e8, 'noeviction', 'fail'],
    [5e6, 1e8, 'volatile-lru', 'ok'],
    [1e8, 1e8, 'allkeys-lru', 'ok'],
    [5e6, 1e8, 'allkeys-lrm', 'ok'],
    [5e6, 1e8, 'volatile-ttl', 'warn'],
    [5e6, 1e8, 'allkeys-lfu', 'warn'],
    [5e6, 1e8, 'allkeys-random', 'warn'],
    [5e6, 1e8, 'allkeys-later', 'unknown'],
  ])('%i of %i with %s is %s', (used, most, policy, level) => {
    const finding = memory(used, most, policy)
    expect(finding.level).toBe(level)
    expect(finding.change === undefined).toBe(level === 'ok' || level === 'unknown')
  })

  it('tells sizes as people do', () => {
    expect([0, 1023, 1536, 5 * 1024 ** 2, 300 * 1024 ** 3].map(bytes)).toEqual([
      '0 B',
      '1023 B',
      '1.5 KB',
      '5 MB',
      '300 GB',
    ])
  })
})

describe('clients', () => {
  it('near their bound are told', () => {
    expect(judgeConnections(info('connected_clients:10 maxclients:100')).level).toBe('ok')
    expect(judgeConnections(info('connected_clients:85 maxclients:100'))).toMatchObject({ level: 'warn' })
  })

  it('that are planned are told where they do not fit', () => {
    const planned = (processes: number) => judgeConnections(info('connected_clients:10 maxclients:100'), processes)
    expect([45, 46, 50, 51].map((count) => planned(count).level)).toEqual(['ok', 'warn', 'warn', 'fail'])
    expect(planned(51).change).toContain('raise maxclients above 112')
  })
})

describe('latency', () => {
  it.each([
    ['ok', Array.from({ length: 100 }, () => 0.3)],
    ['warn', Array.from({ length: 100 }, () => 8)],
    ['warn', Array.from({ length: 100 }, (_, index) => (index < 98 ? 0.3 : 200))],
    ['fail', Array.from({ length: 100 }, (_, index) => (index < 98 ? 0.3 : 1500))],
  ])('is %s', (level, samples) => {
    expect(judgeLatency(samples, 1000).level).toBe(level)
  })

  it('of one slow answer in a hundred is seen in p99 alone', () => {
    const samples = Array.from({ length: 100 }, (_, index) => (index === 7 ? 90 : 1))
    expect(judgeLatency(samples, 1000)).toMatchObject({ level: 'ok', said: 'p50 1 ms, p99 90 ms of 100 PINGs' })
  })

  it('is judged by the commandTimeout that is said', () => {
    const samples = Array.from({ length: 100 }, () => 4)
    expect([1000, 7, 4].map((timeout) => judgeLatency(samples, timeout).level)).toEqual(['ok', 'warn', 'fail'])
  })
})

describe('reads', () => {
  it('that show what was there before come from a replica', () => {
    expect(judgeReads(['0', '1', '2']).level).toBe('ok')
    expect(judgeReads([null, '0', '2'])).toMatchObject({
      ...{ level: 'warn', said: '2 of 3 reads did not show what had just been written' },
    })
  })
})

describe('clock', () => {
  it('is stated, and warned of when it is apart by more than the measurement leaves open', () => {
    expect(judgeClock(-900, 1)).toMatchObject({ level: 'ok', said: expect.stringContaining('900 ms behind this host') })
    expect(judgeClock(1500, 600).level).toBe('ok')
    expect(judgeClock(3_600_000, 1).level).toBe('warn')
  })
})

describe('cluster', () => {
  it.each([
    ['cluster_state:ok cluster_slots_ok:16384 cluster_slots_pfail:0 cluster_slots_fail:0 cluster_size:3', 'ok'],
    ['cluster_state:ok cluster_slots_ok:10923 cluster_slots_pfail:5461 cluster_slots_fail:0 cluster_size:3', 'warn'],
    ['cluster_state:ok cluster_slots_ok:10923 cluster_slots_pfail:0 cluster_slots_fail:0 cluster_size:2', 'fail'],
    ['cluster_state:fail cluster_slots_ok:16384 cluster_size:3', 'fail'],
  ])('%s is %s', (text, level) => {
    expect(judgeCluster(info(text)).level).toBe(level)
  })
})

describe('what could not be read', () => {
  it('is unknown, with the reason', () => {
    for (const judge of [judgeVersion, judgeRole, judgeMemory, judgeConnections, judgeCluster]) {
      expect(judge(UNREAD)).toMatchObject({ level: 'unknown', said: `could not be read: ${UNREAD.refused}` })
    }
  })
})

describe('a refusal', () => {
  it('says what it means and what to change', () => {
    const because = (message: string): Finding => refused('entries', 'storing', new Error(message), '+eval')
    expect(because('NOPERM no rights')).toMatchObject({ change: 'ACL SETUSER <user> +eval' })
    expect(because("OOM command not allowed when used memory > 'maxmemory'.").said).toContain('Redis is full')
    expect(because('MISCONF Redis is configured to save').change).toContain('stop-writes-on-bgsave-error')
    expect(because('SOMETHING new')).toMatchObject({ level: 'fail', said: 'storing failed: SOMETHING new' })
    expect(because("ERR proxy: 'EVALSHA' is not supported").change).toContain('if a proxy stands between')
    expect(refused('clearing', 'SCAN', new Error('SOMETHING new'), '+scan').change).toBeUndefined()
  })
})

describe('the exit code', () => {
  const exit = (levels: Level[], { strict = false, isUnreachable = false } = {}) =>
    exitCodeOf([{ findings: levels.map((level) => ({ check: 'x', level, said: '' })), isUnreachable }], strict)

  it('is that of the worst', () => {
    expect(exit(['ok', 'warn', 'unknown'])).toBe(0)
    expect(exit(['ok', 'warn'], { strict: true })).toBe(1)
    expect(exit(['ok', 'unknown'], { strict: true })).toBe(0)
    expect(exit(['warn', 'fail'])).toBe(1)
    expect(exit(['fail'], { isUnreachable: true })).toBe(3)
  })
})
