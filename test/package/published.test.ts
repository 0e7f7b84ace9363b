import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Consumer, installed, pack, type Packed, ROOT, run } from './packed.ts'

const TIMEOUT = 120_000
const PUBLINT = join(ROOT, 'node_modules', 'publint', 'src', 'cli.js')
const ATTW = join(ROOT, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js')

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
        'package/CHANGELOG.md',
        'package/dist/index.d.ts',
        'package/dist/dashboard/page-source.js',
      ]),
    )
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

  it('has a command, which finds the ioredis of its project', async () => {
    expect(await consumer.node('node_modules/.bin/herdlock', '--help')).toContain('herdlock doctor')
    // Nothing listens there: that it was tried says that ioredis was found.
    const asked = consumer.node('node_modules/.bin/herdlock', 'doctor', 'redis://127.0.0.1:1', '--json')
    await expect(asked).rejects.toThrow('ECONNREFUSED')
  })

  it('has a command that names the remedy where there is no ioredis', async () => {
    const bare = await installed(packed.tarball, { borrowed: [] })
    try {
      const asked = bare.node('node_modules/.bin/herdlock', 'doctor', 'redis://127.0.0.1:1')
      await expect(asked).rejects.toThrow('npm install ioredis')
    } finally {
      await bare.remove()
    }
  })

  it('type-checks in a strict nodenext project, libraries included', async () => {
    await consumer.node('node_modules/typescript/bin/tsc', '-p', 'tsconfig.json')
  })
})

type Entry = 'root' | 'lock' | 'express' | 'cacheManager' | 'redlock' | 'dashboard' | 'opentelemetry' | 'prometheus'

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
  expect(names.opentelemetry).toContain('instrument')
  expect(names.prometheus).toContain('collect')
  expect(names.dashboard).toEqual(['dashboard'])
  expect(names.cacheManager).toEqual(['cacheManager'])
  expect(names.redlock.sort()).toEqual(['ExecutionError', 'Redlock', 'ResourceLockedError'])
  expect(names.same).toBe(true)
}
