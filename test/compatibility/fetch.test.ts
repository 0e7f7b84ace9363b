import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, test } from 'vitest'

import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'
import { bunBinary, denoBinary } from './binaries.ts'
import { expectOneRun } from './fetch/one-run.ts'
import { BUN, DENO } from './versions.ts'

const MAIN = fileURLToPath(new URL('fetch/main.js', import.meta.url))
const PROCESSES = 2
const TIMEOUT = 120_000

const SERVERS = {
  'Bun.serve': async () => [await bunBinary(BUN)],
  'Deno.serve': async () => [await denoBinary(DENO), 'run', '--allow-all', '--quiet'],
  Elysia: async () => [await bunBinary(BUN)],
}

let children: ChildProcess[] = []
afterEach(async () => {
  const ended = children.filter(({ exitCode }) => exitCode === null).map((child) => once(child, 'exit'))
  for (const child of children.splice(0)) child.stdin?.end()
  await Promise.all(ended)
})

test.each(Object.entries(SERVERS))(
  '%s: 20 clients of each of 2 processes make one run',
  async (name, command) => {
    const [program, ...args] = (await command()) as [string, ...string[]]
    const given = [...args, MAIN, sharedRedis().url, uniquePrefix('fetch'), name]
    children = Array.from({ length: PROCESSES }, () => spawn(program, given, { stdio: ['pipe', 'pipe', 'inherit'] }))
    const ports = await Promise.all(children.map(async ({ stdout }) => Number(await once(stdout as never, 'data'))))
    await expectOneRun(ports)
  },
  TIMEOUT,
)
