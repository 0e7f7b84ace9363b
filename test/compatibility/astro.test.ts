import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'

import { readPages } from '../package/pages.ts'
import { freePort } from '../support/free-port.ts'
import { fromRegistry } from '../support/from-registry.ts'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'
import { nodeBinary } from './binaries.ts'
import { expectOneRun } from './fetch/one-run.ts'
import { ASTRO, ASTRO_NODE, NODES } from './versions.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const PROCESSES = 2
const TIMEOUT = 120_000

let folder: string
const children: ChildProcess[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'herdlock-astro-'))
})
afterEach(async () => {
  const ended = children.filter(({ exitCode }) => exitCode === null).map((child) => once(child, 'exit'))
  for (const child of children.splice(0)) child.kill()
  await Promise.all(ended)
  await rm(folder, { recursive: true })
})

test(
  'Astro with the middleware of our page, built: 20 clients of each of 2 processes make one run',
  async () => {
    // Astro 7 is not for Node 20.
    const node = await nodeBinary(NODES['Node.js 22'])
    await makeProject()
    await promisify(execFile)(node, ['node_modules/astro/bin/astro.mjs', 'build'], {
      cwd: folder,
      env: { ...process.env, ASTRO_TELEMETRY_DISABLED: '1' },
    })
    const shared = { HOST: '127.0.0.1', REDIS_URL: sharedRedis().url, PREFIX: uniquePrefix('astro') }
    const ports: number[] = []
    for (let count = 0; count < PROCESSES; count++) {
      const port = await freePort()
      const env = { ...process.env, ...shared, PORT: String(port) }
      const child = spawn(node, ['dist/server/entry.mjs'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] })
      children.push(child)
      await once(child.stdout, 'data') // it listens
      ports.push(port)
    }
    await expectOneRun(ports)
  },
  TIMEOUT,
)

async function makeProject(): Promise<void> {
  await cp(join(ROOT, 'test', 'compatibility', 'fetch', 'astro'), folder, { recursive: true })
  await writeFile(join(folder, 'src', 'middleware.js'), await documentedMiddleware())
  const fetched = await fromRegistry('@astrojs/node', ASTRO_NODE, [`astro@${ASTRO}`])
  const packages = {
    ...{ astro: join(fetched, 'astro'), '@astrojs/node': join(fetched, '@astrojs', 'node') },
    ...{ herdlock: ROOT, ioredis: join(ROOT, 'node_modules', 'ioredis') },
  }
  for (const [name, path] of Object.entries(packages)) {
    const link = join(folder, 'node_modules', name)
    await mkdir(dirname(link), { recursive: true })
    await symlink(path, link)
  }
}

/** What docs/fetch.md shows, with the cache that all processes share. */
async function documentedMiddleware(): Promise<string> {
  const page = (await readPages()).find(({ path }) => path === 'docs/fetch.md')
  const block = page?.blocks.find(({ lines }) => lines.some((line) => line.includes('onRequest')))
  const shown = block?.lines.join('\n') ?? ''
  expect(shown).toContain('singleFlight()')
  return `import { cache } from './redis.js'\n${shown.replace('singleFlight()', 'singleFlight({ cache })')}\n`
}
