import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { sharedRedis } from '../support/shared-redis.ts'
import { bunBinary, denoBinary } from './binaries.ts'
import { BROKEN_PROMISES } from './tested.ts'
import { BUN, DENO } from './versions.ts'

const MAIN = fileURLToPath(new URL('smoke/main.js', import.meta.url))
const TIMEOUT = 120_000

const RUNTIMES = {
  'Node.js': async () => [process.execPath],
  Bun: async () => [await bunBinary(BUN)],
  Deno: async () => [await denoBinary(DENO), 'run', '--allow-all', '--quiet'],
}

describe('promises of the cache, the lock and singleFlight', { timeout: TIMEOUT }, () => {
  it.each(Object.entries(RUNTIMES))('are kept on %s, but for those that are named', async (name, command) => {
    const [program, ...args] = (await command()) as [string, ...string[]]
    // But on Bun it ends by itself: nothing that was closed keeps it alive.
    const { stdout } = await promisify(execFile)(program, [...args, MAIN, sharedRedis().url], { timeout: TIMEOUT })
    const tried = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { name: string; broken: string | null })
    expect(tried.length).toBeGreaterThan(30)
    const broken = tried.filter((promise) => promise.broken !== null)
    expect(
      broken.map((promise) => promise.name),
      broken.map((promise) => promise.broken).join('\n'),
    ).toEqual(BROKEN_PROMISES[name] ?? [])
  })
})
