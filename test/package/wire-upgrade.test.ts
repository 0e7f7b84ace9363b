import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type * as Herdlock from '../../src/index.ts'
import { eventually } from '../support/eventually.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'
import { ROOT } from './packed.ts'

type Build = typeof Herdlock
type Cache = Herdlock.Cache

const CALLERS = 50

/*
 * A fleet is upgraded from one version of the wire format to the next: for a while processes of two builds share a Redis.
 * The second build is this one with the next version in the first bytes of each entry, in its code and its scripts.
 */
describe('a running fleet that is upgraded from one wire version to the next', () => {
  let old: Build
  let next: Build
  let folder: string
  beforeAll(async () => {
    // In the project, where the copy finds its dependencies.
    folder = await mkdtemp(join(ROOT, 'node_modules', '.next-wire-'))
    await cp(join(ROOT, 'dist'), folder, { recursive: true })
    const places = await replaceInAll(folder, /\bhl1\b/g, 'hl2')
    if (places !== 2)
      throw new Error(`hl1 stood in ${places} places, not in the envelope and in the scripts' reader alone`)
    old = await buildIn(join(ROOT, 'dist'))
    next = await buildIn(folder)
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  let prefix: string
  let loads: string[]
  const errors: unknown[] = []
  const open: { cache: Cache; redis: Redis }[] = []
  beforeEach(() => {
    prefix = uniquePrefix('wire')
    loads = []
    errors.length = 0
  })
  afterEach(() => close(open))

  /** A process of the fleet, so to speak: a client and a cache of its own. */
  function start(build: Build, memory?: false): Cache {
    const redis = new Redis(sharedRedis().url)
    const cache = build.createCache({ ttl: 60_000, prefix, redis, ...(memory === undefined ? {} : { memory }) })
    cache.on('error', ({ error }) => errors.push(error))
    open.push({ cache, redis })
    return cache
  }
  const load = (value: string) => (): string => {
    loads.push(value)
    return value
  }
  const herd = (caches: readonly Cache[], key: string, value: string): Promise<string[]> =>
    Promise.all(caches.flatMap((cache) => Array.from({ length: CALLERS }, () => cache.getOrRefill(key, load(value)))))
  /** Bytes of the other version are reported as any that cannot be read; nothing else is. */
  const expectOnlyForeignBytes = (): void => {
    const others = errors.filter((error) => !/was no entry of ours/.test(String(error)))
    expect(others).toEqual([])
  }
  const all = (value: string, caches: number): string[] => Array<string>(caches * CALLERS).fill(value)

  it('answers every caller of both kinds, by one load of each process at most', async () => {
    const fleet = [start(old), start(next), start(old), start(next)]
    expect(await herd(fleet, 'cold', 'value')).toEqual(all('value', 4))
    expect(loads.length).toBeGreaterThan(0)
    expect(loads.length).toBeLessThanOrEqual(fleet.length) // each kind replaces what the other has stored
    expectOnlyForeignBytes()
  })

  it('takes the entries of the other version for absent, and serves none of them', async () => {
    const [before, after] = [start(old, false), start(next, false)]
    await before.set('key', 'of the old')
    expect(await after.get('key')).toBeUndefined()
    expect(await after.getOrRefill('key', load('of the next'))).toBe('of the next')
    expect(await before.get('key')).toBeUndefined()
    expect(await before.getOrRefill('key', load('of the old again'))).toBe('of the old again')
    expect(loads).toEqual(['of the next', 'of the old again'])
    expectOnlyForeignBytes()
  })

  it.each([
    ['old', 'next'],
    ['next', 'old'],
  ] as const)('has what a process of the %s changes not served by one of the %s any more', async (by, to) => {
    const builds = { old, next }
    const [changer, reader] = [start(builds[by]), start(builds[to])]
    await eventually('both hear each other', async () => {
      await Promise.all([changer, reader].map((cache) => cache.getOrRefill('warm-up', load('warm'))))
      return [changer, reader].every((cache) => cache.stats().redis.every(({ messages }) => messages === 'connected'))
    })
    const changes: [string, () => Promise<void>][] = [
      ['invalidated', () => changer.invalidate('invalidated')],
      ['tagged', () => changer.invalidateTags('tag')],
      ['set', () => changer.set('set', 'new')],
    ]
    for (const [key, change] of changes) {
      await reader.set(key, 'old', { tags: ['tag'] })
      expect(reader.peek(key)).toBe('old')
      await change()
      await eventually(`the reader has forgotten what was ${key}`, () => reader.peek(key) === undefined)
      expect(await reader.getOrRefill(key, load('new'))).toBe('new')
    }
    expectOnlyForeignBytes()
  })

  it('holds one lock for both kinds', async () => {
    const [redis, other] = [new Redis(sharedRedis().url), new Redis(sharedRedis().url)]
    const lockers = [new old.Locker({ clients: redis }), new next.Locker({ clients: other })] as const
    try {
      const lock = await lockers[0].tryAcquire(`${prefix}-lock`, 10_000)
      await expect(lockers[1].tryAcquire(`${prefix}-lock`, 10_000)).rejects.toMatchObject({
        name: 'LockNotAcquiredError',
      })
      const waiting = lockers[1].acquire(`${prefix}-lock`, 10_000)
      await lock.release()
      await (await waiting).release()
    } finally {
      await Promise.all(lockers.map((locker) => locker.close()))
      for (const client of [redis, other]) client.disconnect()
    }
  })

  it('shares as before once the last process of the old version has gone', async () => {
    const before = [start(old), start(old)]
    expect(await herd(before, 'key', 'old')).toEqual(all('old', 2))
    expect(loads).toEqual(['old'])
    await close(open)
    const after = [start(next), start(next)]
    expect(await herd(after, 'key', 'next')).toEqual(all('next', 2))
    expect(await herd([start(next)], 'key', 'not loaded')).toEqual(all('next', 1))
    expect(loads).toEqual(['old', 'next'])
    expectOnlyForeignBytes()
  })
})

async function buildIn(folder: string): Promise<Build> {
  return (await import(pathToFileURL(join(folder, 'index.js')).href)) as Build
}

/** How often it stood there. */
async function replaceInAll(folder: string, what: RegExp, replacement: string): Promise<number> {
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.js'))
  let found = 0
  for (const file of files) {
    const text = await readFile(join(folder, file), 'utf8')
    found += text.match(what)?.length ?? 0
    await writeFile(join(folder, file), text.replace(what, replacement))
  }
  return found
}

async function close(open: { cache: Cache; redis: Redis }[]): Promise<void> {
  for (const { cache, redis } of open.splice(0)) {
    await cache.close()
    redis.disconnect()
  }
}
