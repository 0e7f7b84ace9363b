import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { cacheLab, gatedLoad, settled, timed, warmUp } from '../support/cache-lab.ts'
import { eventually } from '../support/eventually.ts'
import { countLoads } from '../support/loads.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'

const PASSWORD = 's3cret-p4ss'
const lab = cacheLab({ password: PASSWORD, debug: true })
const urlOf = (user: string, password: string): string => `redis://${user}:${password}@127.0.0.1:${lab.redis.port}`
const config = (name: string, value: string): Promise<unknown> => lab.redis.command('CONFIG', 'SET', name, value)

/** Every caller gets a value at once; what goes wrong is told, without a secret. */
async function expectValuesAndReports(cache: Cache, code: RegExp): Promise<void> {
  const loads = countLoads(() => 'value')
  const { value, took } = await timed(() =>
    Promise.all(Array.from({ length: 10 }, () => cache.getOrRefill('key', loads.loader))),
  )
  expect(new Set(value)).toEqual(new Set(['value']))
  expect(loads.runs).toBe(1)
  expect(took).toBeLessThan(1500)
  await settled(cache)
  expect(lab.errors.map(String).join('\n')).toMatch(code)
  expect(lab.errors.map((error) => `${String(error)} ${JSON.stringify(error)} ${error.stack}`).join()).not.toContain(
    PASSWORD,
  )
}

async function expectRecovery(cache: Cache): Promise<void> {
  await eventually('it is shared again', async () => {
    const key = `after ${performance.now()}`
    await cache.getOrRefill(key, () => 'loaded')
    await settled(cache)
    return (await lab.redis.command('EXISTS', `${lab.prefix}:{${key}}`)) === 1
  })
}

describe('Redis refuses to write', () => {
  test('OOM: values, and a lease that was taken before is released', async () => {
    const [cache, other] = [lab.cache({ lockTtl: 60_000 }), lab.cache({ lockTtl: 60_000 })]
    await warmUp(lab.redis, cache, other)
    const load = gatedLoad<string>()
    const led = cache.getOrRefill('led', load.loader)
    await load.started
    const waited = timed(() => other.getOrRefill('led', () => 'own'))
    await eventually('it waits', async () => (await lab.keys()).some((key) => key.endsWith(':waiters')))
    await config('maxmemory', '1')
    load.gate.resolve('led')
    expect(await led).toBe('led')
    expect((await waited).value).toBe('led') // it is told though nothing can be stored
    await settled(cache)
    expect((await lab.keys()).filter((key) => key.endsWith('{led}:lease'))).toEqual([])
    await expectValuesAndReports(cache, /OOM/)
    await expect(cache.set('key', 1)).rejects.toThrow('OOM')
    await cache.invalidate('led') // which needs no memory
    await config('maxmemory', '0')
    await expectRecovery(cache)
  })

  test('MISCONF, after a snapshot that failed: values', async () => {
    const cache = lab.cache()
    await warmUp(lab.redis, cache)
    await config('save', '3600 1')
    await config('rdb-key-save-delay', '10000000')
    await lab.redis.command('SET', 'something', 'to save')
    await lab.redis.command('BGSAVE')
    const [child] = (await readFile(`/proc/${lab.redis.pid}/task/${lab.redis.pid}/children`, 'utf8')).trim().split(' ')
    process.kill(Number(child), 'SIGKILL')
    await eventually('the snapshot has failed', async () =>
      String(await lab.redis.command('INFO', 'persistence')).includes('rdb_last_bgsave_status:err'),
    )
    await expectValuesAndReports(cache, /MISCONF/)
    await config('rdb-key-save-delay', '0')
    await config('save', '')
    await expectRecovery(cache)
  })

  test.each([
    ['READONLY, on a replica', 'yes', /READONLY/],
    ['MASTERDOWN, on a replica that lost its master', 'no', /MASTERDOWN/],
  ])('%s: values', async (_name, serveStale, code) => {
    const cache = lab.cache()
    await warmUp(lab.redis, cache)
    await config('replica-serve-stale-data', serveStale)
    await lab.redis.command('REPLICAOF', '127.0.0.1', '1')
    await expectValuesAndReports(cache, code)
    await lab.redis.command('REPLICAOF', 'NO', 'ONE')
    await expectRecovery(cache)
  })

  test('LOADING, after a restart with much to read: values', async () => {
    const cache = lab.cache()
    await warmUp(lab.redis, cache)
    // While it loads, Redis answers every 2 MB.
    await config('rdbcompression', 'no')
    await lab.redis.command('DEBUG', 'POPULATE', '64', 'filler', '250000')
    await config('key-load-delay', '20000')
    const reload = lab.redis.command('DEBUG', 'RELOAD')
    await eventually('it loads', async () => /LOADING/.test(String(await lab.redis.command('GET', 'x').catch(String))))
    await expectValuesAndReports(cache, /LOADING|did not answer/)
    await reload
    await config('key-load-delay', '0')
    await expectRecovery(cache)
  })
})

describe('Redis refuses this client', () => {
  test.each([
    ['NOAUTH, without a password', () => `redis://127.0.0.1:${lab.redis.port}`, /NOAUTH|did not answer/],
    ['WRONGPASS', () => urlOf('default', `${PASSWORD}-wrong`), /WRONGPASS|NOAUTH|did not answer/],
  ])('%s: values', async (_name, url, code) => {
    await expectValuesAndReports(lab.cache({}, url()), code)
  })

  test.each([
    ['no scripts', ['-@scripting'], /NOPERM/],
    ['no publishing', ['-publish'], /./],
    ['only other keys', ['resetkeys', '~other:*'], /NOPERM|did not answer|No permissions/],
  ])('NOPERM, %s allowed: values, and one report for the outage', async (_name, rules, code) => {
    await lab.redis.command('ACL', 'SETUSER', 'limited', 'reset', 'on', `>${PASSWORD}`, '~*', '&*', '+@all', ...rules)
    const cache = lab.cache({}, urlOf('limited', PASSWORD))
    await expectValuesAndReports(cache, rules[0] === '-publish' ? /^/ : code)
    const reports = lab.errors.length
    for (let i = 0; i < 20; i++) expect(await cache.getOrRefill(`key ${i}`, () => i)).toBe(i)
    await settled(cache)
    expect(lab.errors.length - reports).toBeLessThanOrEqual(2)
    await lab.redis.command('ACL', 'SETUSER', 'limited', '~*', '+@all')
    await expectRecovery(cache)
  })

  test('maxclients: values', async () => {
    const cache = lab.cache()
    await warmUp(lab.redis, cache)
    const full: RedisServer = await startRedis({ args: ['--maxclients', '1'] })
    lab.atEnd(() => full.stop())
    const taken = lab.client(full.url)
    await taken.ping()
    await expectValuesAndReports(lab.cache({}, full.url), /did not answer|max number of clients/)
  })
})
