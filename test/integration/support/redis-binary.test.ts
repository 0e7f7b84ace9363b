import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const SCRIPT = fileURLToPath(new URL('../workers/find-redis.ts', import.meta.url))

describe('findRedis', () => {
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'herdlock-binaries-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  /** A program that is no server but answers `--version` as one would. */
  async function program(name: string, says: string): Promise<string> {
    const path = join(folder, name)
    await writeFile(path, `#!/bin/sh\necho '${says}'\n`)
    await chmod(path, 0o755)
    return path
  }

  async function find(env: NodeJS.ProcessEnv): Promise<{ code: number; out: string; err: string }> {
    const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT], { env: { ...process.env, ...env } })
    const exit = once(child, 'close')
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
    const [code] = (await exit) as [number]
    return { code, out, err }
  }

  it('takes REDIS_SERVER_BIN before what is on the PATH', async () => {
    const named = await program('my-redis', 'Redis server v=7.2.4 sha=00000000:0 malloc=libc bits=64')
    await program('redis-server', 'Redis server v=7.4.0 sha=00000000:0 malloc=libc bits=64')
    const { out } = await find({ REDIS_SERVER_BIN: named, PATH: `${folder}${delimiter}${process.env['PATH']}` })
    expect(JSON.parse(out)).toEqual({ server: named, version: '7.2.4' })
  })

  it.each([
    ['is older than 6.2', 'Redis server v=6.0.16 sha=00000000:0 malloc=libc bits=64'],
    ['not a Redis server', 'hello'],
  ])('refuses a REDIS_SERVER_BIN that %s, and does not fall through', async (why, says) => {
    const named = await program('my-redis', says)
    const { code, err } = await find({ REDIS_SERVER_BIN: named })
    expect(code).toBe(1)
    expect(err).toContain(`REDIS_SERVER_BIN=${named} cannot be used`)
    expect(err).toContain(why)
  })

  it('refuses a REDIS_SERVER_BIN that does not exist', async () => {
    const { code, err } = await find({ REDIS_SERVER_BIN: join(folder, 'none') })
    expect(code).toBe(1)
    expect(err).toContain('ENOENT')
  })

  it('takes a Valkey on the PATH, past a Redis that is too old', async () => {
    await program('redis-server', 'Redis server v=5.0.7 sha=00000000:0 malloc=libc bits=64')
    const valkey = await program('valkey-server', 'Valkey server v=8.0.1 sha=00000000:0 malloc=libc bits=64')
    const { out } = await find({ REDIS_SERVER_BIN: '', PATH: `${folder}${delimiter}${process.env['PATH']}` })
    expect(JSON.parse(out)).toEqual({ server: valkey, version: '8.0.1' })
  })
})
