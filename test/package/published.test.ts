import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { JEST } from '../compatibility/versions.ts'
import { fromRegistry } from '../support/from-registry.ts'
import { sharedRedis } from '../support/shared-redis.ts'
import { type Consumer, installed, pack, type Packed, ROOT, run } from './packed.ts'

const TIMEOUT = 120_000
const PUBLINT = join(ROOT, 'node_modules', 'publint', 'src', 'cli.js')
const ATTW = join(ROOT, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js')

/** How each runner of tests is told to run those of `consumers/testing/`. */
const RUNNERS: Record<string, () => Promise<string[]>> = {
  vitest: async () => [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', 'testing/on-vitest.test.mjs'],
  jest: async () => [
    '--experimental-vm-modules',
    join(await fromRegistry('jest', JEST), 'jest/bin/jest.js'),
    ...['--config', JSON.stringify({ transform: {}, testMatch: ['**/on-jest.test.mjs'] })],
  ],
  'node:test': async () => ['--test', 'testing/on-node.test.mjs'],
}

describe('the package as published', { timeout: TIMEOUT }, () => {
  let packed: Packed
  let consumer: Consumer

  beforeAll(async () => {
    packed = await pack()
    consumer = await installed(packed.tarball)
  }, TIMEOUT)
  afterAll(async () => {
    await consumer?.remove()
    await packed?.remove()
  })

  it('satisfies publint', async () => {
    await run(process.execPath, [PUBLINT, 'run', packed.tarball, '--strict'], ROOT)
  })

  it('has types that resolve as its code does', async () => {
    await run(process.execPath, [ATTW, packed.tarball, '--profile', 'esm-only'], ROOT)
  })

  it('holds what it needs and nothing of ours', async () => {
    const listed = await run('tar', ['-tzf', packed.tarball], ROOT)
    const files = listed.trim().split('\n')
    expect(files).toEqual(
      expect.arrayContaining([
        'package/LICENSE',
        'package/README.md',
        'package/SECURITY.md',
        'package/dist/index.d.ts',
        'package/dist/dashboard.js',
      ]),
    )
    expect(files.filter((file) => file.endsWith('.map'))).toEqual([])
    expect(files.filter((file) => !/^package\/(dist\/|[A-Z]+(\.md)?$|package\.json$)/.test(file))).toEqual([])
  })

  it('can be imported', async () => {
    const [names, value] = (await consumer.node('import.mjs')).trim().split('\n')
    expectPublicNames(names)
    expect(value).toBe('value')
  })

  it('can be required', async () => {
    expectPublicNames(await consumer.node('require.cjs'))
  })

  it('has a command, which names the remedy where there is no client, and finds each that there is', async () => {
    const bare = await installed(packed.tarball, { borrowed: [] })
    const command = join(bare.folder, 'node_modules', '.bin', 'herdlock')
    const doctor = (folder = bare.folder): Promise<string> =>
      run(process.execPath, [command, 'doctor', 'redis://127.0.0.1:1'], folder)
    const remedy = /npm install ioredis, .*; iovalkey, redis, @valkey\/valkey-glide will do as well/
    /** Nothing listens there: that it was tried says that a client was found. */
    const tried = /ECONNREFUSED|Connection refused/
    try {
      expect(await bare.node(command, '--help')).toContain('herdlock doctor')
      await expect(doctor()).rejects.toThrow(remedy)
      await expect(doctor(ROOT)).rejects.toThrow(tried) // of the project, if herdlock is kept apart
      for (const client of ['@valkey/valkey-glide', 'redis', 'iovalkey', 'ioredis']) {
        await bare.use(client, join(ROOT, 'node_modules', client))
        await expect(doctor()).rejects.toThrow(tried)
        await rm(join(bare.folder, 'node_modules', client))
      }
      await bare.use('ioredis', join(ROOT, 'node_modules', 'redis-parser')) // as a version that is too old
      await expect(doctor()).rejects.toThrow(remedy)
    } finally {
      await bare.remove()
    }
  })

  it('type-checks in a strict nodenext project, libraries included', async () => {
    await consumer.node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.json')
  })

  it('is taken by frameworks with types of their own', async () => {
    await consumer.node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.frameworks.json')
  })

  it.each(Object.keys(RUNNERS))('lets a project test with %s, which sees what goes wrong', async (name) => {
    const args = (await RUNNERS[name]?.()) as string[]
    const env = { REDIS_URL: sharedRedis().url }
    await run(process.execPath, args, consumer.folder, env)
    const broken = run(process.execPath, args, consumer.folder, { ...env, BROKEN: '1' })
    await expect(broken).rejects.toThrow('expected one load of "key", saw 2 (at 0 ms, 60500 ms)')
  })
})

type Entry =
  | 'root'
  | 'lock'
  | 'express'
  | 'fetch'
  | 'hono'
  | 'koa'
  | 'next'
  | 'fastify'
  | 'nestjs'
  | 'cacheManager'
  | 'redlock'
  | 'dashboard'
  | 'opentelemetry'
  | 'prometheus'
  | 'testing'

function expectPublicNames(json: string | undefined): void {
  const names = JSON.parse(json ?? '') as Record<Entry, string[]> & { same: boolean }
  expect(names.root).toEqual(
    expect.arrayContaining([
      'createCache',
      'singleFlight',
      'Locker',
      'HerdlockError',
      'LockNotAcquiredError',
      'LockNotHeldError',
    ]),
  )
  expect(names.lock).toEqual(expect.arrayContaining(['Locker', 'LockNotAcquiredError', 'LockNotHeldError']))
  expect(names.express).toContain('singleFlight')
  expect(names.fetch).toEqual(['singleFlight'])
  expect(names.hono).toEqual(['singleFlight'])
  expect(names.koa).toEqual(['singleFlight'])
  expect(names.fastify.filter((name) => name !== '__esModule').sort()).toEqual(['default', 'herdlock'])
  expect(names.nestjs.sort()).toEqual(['Cache', 'Cached', 'HerdlockModule', 'Locker', 'SingleFlight'])
  expect(names.next).toEqual(['createIncrementalCacheHandler', 'createUseCacheHandler'])
  expect(names.opentelemetry).toContain('instrument')
  expect(names.prometheus).toContain('collect')
  expect(names.testing).toEqual(['createTestbed'])
  expect(names.dashboard.sort()).toEqual(['dashboard', 'joinFleet'])
  expect(names.cacheManager).toEqual(['cacheManager'])
  expect(names.redlock.sort()).toEqual(['ExecutionError', 'Redlock', 'ResourceLockedError'])
  expect(names.same).toBe(true)
}
