import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'
import { type LintCase, lintCases } from './lint-case.ts'

const LAYERS: Record<string, string[]> = {
  cli: ['store', 'redis', 'middleware'],
  opentelemetry: ['cache'],
  prometheus: ['cache'],
  dashboard: ['cache'],
  'cache-manager': ['cache'],
  nestjs: ['cache', 'lock', 'middleware'],
  next: ['cache'],
  redlock: ['lock', 'redis'],
  testing: ['cache', 'lock', 'redis'],
  middleware: ['cache'],
  cache: ['flight', 'store', 'stream', 'lock', 'redis'],
  flight: [],
  stream: ['store', 'redis'],
  store: ['redis'],
  lock: ['redis'],
  redis: [],
}
const FOLDERS = Object.keys(LAYERS)
/** Folders of those who watch caches. */
const WATCHERS = ['opentelemetry', 'prometheus']
/** Packages that one folder each may import. */
const PEERS = { opentelemetry: '@opentelemetry/api', prometheus: 'prom-client', nestjs: '@nestjs/common' }
const ENTRIES = [
  'index',
  'lock',
  'express',
  'hono',
  'koa',
  'next',
  'fastify',
  'fetch',
  'cache-manager',
  'redlock',
  'dashboard',
  'testing',
  'cli',
  ...Object.keys(PEERS),
]
const CLIENTS = ['ioredis', 'iovalkey', 'redis', '@valkey/valkey-glide']
const LEAVES = ['abort', 'check', 'clock', 'diagnostics', 'errors', 'full-key', 'key-version', 'outside', 'random']

const importing = (file: string, from: string): LintCase => ({
  file,
  code: `import { x } from '${from}'\nexport const y = x\n`,
})
const pairs = FOLDERS.flatMap((from) => FOLDERS.filter((to) => to !== from).map((to) => [from, to] as const))
const everywhere = [...FOLDERS.map((folder) => `src/${folder}/*.ts`), 'src/redis/scripts/*.ts']

async function expectRefused(rule: string, cases: readonly LintCase[]): Promise<void> {
  const found = await lintCases(cases)
  const missed = cases.filter((_, index) => !found[index]?.includes(rule))
  expect(missed).toEqual([])
}

async function expectAccepted(cases: readonly LintCase[]): Promise<void> {
  const found = await lintCases(cases)
  expect(cases.map(({ file, code }, index) => ({ file, code, found: found[index] }))).toEqual(
    cases.map(({ file, code }) => ({ file, code, found: [] })),
  )
}

describe('the layers', () => {
  it('cover every folder and file of src', async () => {
    const names = await readdir(fileURLToPath(new URL('../../src/', import.meta.url)))
    const known = [...FOLDERS, ...[...LEAVES, ...ENTRIES].map((name) => `${name}.ts`)]
    expect(names.filter((name) => !known.includes(name))).toEqual([])
  })

  it('refuse imports against the arrows and among siblings', async () => {
    const forbidden = pairs.filter(([from, to]) => !LAYERS[from]?.includes(to))
    await expectRefused('no-restricted-imports', [
      ...forbidden.map(([from, to]) => importing(`src/${from}/*.ts`, `../${to}/other.ts`)),
      importing('src/redis/scripts/*.ts', '../../store/other.ts'),
    ])
  })

  it('accept imports along the arrows, and of leaves', async () => {
    const allowed = pairs.filter(([from, to]) => LAYERS[from]?.includes(to) && !WATCHERS.includes(from))
    await expectAccepted([
      ...allowed.map(([from, to]) => importing(`src/${from}/*.ts`, `../${to}/other.ts`)),
      ...FOLDERS.flatMap((folder) => LEAVES.map((leaf) => importing(`src/${folder}/*.ts`, `../${leaf}.ts`))),
      importing('src/redis/scripts/*.ts', '../script.ts'),
      importing('src/index.ts', './cache/cache.ts'),
    ])
  })

  it('refuse them in every way of importing', async () => {
    await expectRefused('no-restricted-imports', [
      { file: 'src/flight/*.ts', code: "export { x } from '../cache/x.ts'\n" },
      { file: 'src/flight/*.ts', code: "export * from '../cache/x.ts'\n" },
      { file: 'src/flight/*.ts', code: "import '../cache/x.ts'\n" },
      { file: 'src/flight/*.ts', code: "export const x = import('../cache/x.ts')\n" },
      { file: 'src/flight/*.ts', code: "import type { X } from '../cache/x.ts'\nexport type Y = X\n" },
    ])
  })

  it('keep the leaves free of imports but those of leaves', async () => {
    const files = LEAVES.map((leaf) => `src/${leaf}.ts`)
    const others = files.filter((file) => file !== 'src/errors.ts')
    await expectAccepted(others.map((file) => importing(file, './errors.ts')))
    await expectRefused(
      'no-restricted-imports',
      files.flatMap((file) => [
        ...[...FOLDERS.map((folder) => `./${folder}/other.ts`), '../bench/errors.ts'].map((from) =>
          importing(file, from),
        ),
        ...ENTRIES.map((entry) => importing(file, `./${entry}.ts`)),
      ]),
    )
  })

  it('keep the entry files out of src', async () => {
    await expectRefused(
      'no-restricted-imports',
      everywhere.flatMap((file) =>
        ENTRIES.map((entry) => importing(file, `${'../'.repeat(file.split('/').length - 2)}${entry}.ts`)),
      ),
    )
  })

  it('keep the cache from speaking to Redis past the stores and locks', async () => {
    await expectRefused('no-restricted-imports', [
      importing('src/cache/*.ts', '../redis/scripts/claim.ts'),
      importing('src/cache/*.ts', '../redis/script.ts'),
    ])
  })

  it('let those who watch the cache know its types alone', async () => {
    for (const folder of WATCHERS) {
      const file = `src/${folder}/*.ts`
      await expectAccepted([{ file, code: "import type { X } from '../cache/cache.ts'\nexport type Y = X\n" }])
      await expectRefused('no-restricted-imports', [importing(file, '../cache/cache.ts')])
    }
  })

  it('refuse cycles', async () => {
    const circle = [
      { file: 'src/lock/a.ts', code: "import { b } from './b.ts'\nexport const a = (): unknown => b\n" },
      { file: 'src/lock/b.ts', code: "import { a } from './a.ts'\nexport const b = (): unknown => a\n" },
      { file: 'src/lock/c.ts', code: "import type { D } from './d.ts'\nexport type C = D[]\n" },
      { file: 'src/lock/d.ts', code: "import type { C } from './c.ts'\nexport type D = C[]\n" },
    ]
    await expectRefused('no-cycle', circle)
  })
})

describe('packages', () => {
  it('of clients and of web frameworks are not imported, not even as types', async () => {
    await expectRefused(
      'no-restricted-imports',
      // The command line finds its client at run time.
      [...everywhere, 'src/cli/clients/*.ts', 'src/index.ts', 'src/express.ts', 'src/cli.ts'].flatMap((file) =>
        [...CLIENTS, 'express', '@types/express', 'connect'].flatMap((name) => [
          importing(file, name),
          { file, code: `import type { X } from '${name}'\nexport type Y = X\n` },
        ]),
      ),
    )
  })

  it('that are optional for users are imported by one folder each', async () => {
    for (const [folder, name] of Object.entries(PEERS)) {
      await expectAccepted([importing(`src/${folder}/*.ts`, name)])
      const others = everywhere.filter((file) => !file.startsWith(`src/${folder}/`))
      await expectRefused('no-restricted-imports', [
        ...others.map((file) => importing(file, name)),
        ...ENTRIES.map((entry) => importing(`src/${entry}.ts`, name)),
      ])
    }
  })

  it('that we depend on are imported by one file each', async () => {
    const owners = {
      'cluster-key-slot': 'src/redis/hash-slot.ts',
      devalue: 'src/store/codec.ts',
      'range-parser': 'src/middleware/answer/narrowed.ts',
      'structured-headers': 'src/middleware/rules/targeted-fields.ts',
    }
    await expectAccepted(Object.entries(owners).map(([name, file]) => importing(file, name)))
    await expectRefused('no-restricted-imports', [
      ...Object.keys(owners).flatMap((name) => everywhere.map((file) => importing(file, name))),
      importing('src/store/memory-store.ts', 'devalue'),
      importing('src/store/memory-store.ts', '../lock/locker.ts'),
    ])
  })
})

describe('the rooms of the middleware', () => {
  const names = ['request', 'answer', 'rules', 'stored', 'fill', 'flights']
  const rooms = names.map((room) => `src/middleware/${room}/*.ts`)
  const shared = ['reception', 'options', 'invalidation'].map((name) => `src/middleware/${name}.ts`)
  const servers = ['node:http', 'node:http2']

  it('that know no server import nothing of it', async () => {
    await expectRefused('no-restricted-imports', [
      ...rooms.flatMap((file) =>
        [...servers, '../node/recording.ts', '../options.ts', '../reception.ts'].map((from) => importing(file, from)),
      ),
      ...shared.flatMap((file) => [...servers, './node/recording.ts'].map((from) => importing(file, from))),
    ])
    await expectAccepted(rooms.map((file) => importing(file, '../answer/narrowed.ts')))
    await expectAccepted(servers.map((server) => importing('src/middleware/node/*.ts', server)))
  })

  it('the edge of fetch knows neither node:http nor the edge that stands on it', async () => {
    const file = 'src/middleware/fetch/*.ts'
    await expectRefused(
      'no-restricted-imports',
      [...servers, '../node/recording.ts'].map((from) => importing(file, from)),
    )
    await expectAccepted([importing(file, '../reception.ts')])
    const hono = 'src/middleware/hono/*.ts'
    await expectRefused(
      'no-restricted-imports',
      [...servers, '../node/recording.ts', 'hono'].map((from) => importing(hono, from)),
    )
    await expectAccepted([importing(hono, '../fetch/fetch-desk.ts')])
  })

  it('the plugin of Fastify stands on the edge of node, and knows Fastify by its types alone', async () => {
    const plugin = 'src/middleware/fastify/*.ts'
    await expectRefused(
      'no-restricted-imports',
      ['fastify', 'fastify-plugin', '../koa/koa-context.ts'].map((from) => importing(plugin, from)),
    )
    await expectAccepted([
      importing(plugin, '../node/single-flight.ts'),
      { file: plugin, code: "import type { X } from 'fastify'\nexport type Y = X\n" },
    ])
  })

  it('the edge of Koa stands on those of node and fetch', async () => {
    const koa = 'src/middleware/koa/*.ts'
    await expectRefused(
      'no-restricted-imports',
      ['koa', '../hono/hono-context.ts'].map((from) => importing(koa, from)),
    )
    await expectAccepted(
      [...servers, '../node/stand-in.ts', '../fetch/fetch-edge.ts'].map((from) => importing(koa, from)),
    )
  })
})

it('what answers a Request with a Response reaches no module of a server', async () => {
  const entryPoints = ['fetch', 'hono'].map((name) => fileURLToPath(new URL(`../../src/${name}.ts`, import.meta.url)))
  const options = {
    bundle: true,
    write: false,
    outdir: 'out',
    metafile: true,
    packages: 'external',
    platform: 'node',
  } as const
  const { metafile } = await build({ ...options, format: 'esm', entryPoints })
  const outside = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path))
  const nodes = [...new Set(outside)].filter((path) => path.startsWith('node:')).toSorted()
  // Bun and Deno have these.
  const known = ['async_hooks', 'crypto', 'diagnostics_channel', 'os', 'util']
  expect(nodes).toEqual(known.map((name) => `node:${name}`))
})

describe('the doors', () => {
  const clockAndChance = [
    'setTimeout(() => {}, 1)',
    'setInterval(() => {}, 1)',
    'setImmediate(() => {})',
    'clearTimeout(undefined)',
    'export const x = performance.now()',
    'export const x = globalThis.performance.now()',
    'export const x = crypto.randomUUID()',
  ]

  it('let no other file tell the time, set a timer or use chance', async () => {
    await expectRefused(
      'no-restricted-globals',
      everywhere.flatMap((file) => clockAndChance.map((code) => ({ file, code }))),
    )
    await expectRefused(
      'no-restricted-properties',
      everywhere.flatMap((file) =>
        ['Date.now()', 'Math.random()', 'AbortSignal.timeout(1)', 'process.hrtime()'].map((call) => ({
          file,
          code: `export const x = ${call}`,
        })),
      ),
    )
    await expectRefused('no-restricted-globals', [{ file: 'src/store/*.ts', code: 'export const x = new Date()' }])
    await expectRefused(
      'no-restricted-imports',
      everywhere.flatMap((file) => [
        importing(file, 'node:timers'),
        importing(file, 'node:timers/promises'),
        importing(file, 'node:perf_hooks'),
        { file, code: "import { randomBytes } from 'node:crypto'\nexport const x = randomBytes(1)\n" },
      ]),
    )
  })

  it('are open where they are', async () => {
    await expectAccepted([
      { file: 'src/clock.ts', code: 'export const x = (): number => performance.now() + Date.now()\n' },
      { file: 'src/random.ts', code: "import { randomBytes } from 'node:crypto'\nexport const x = randomBytes(1)\n" },
      {
        file: 'src/redis/*.ts',
        code: "import { createHash } from 'node:crypto'\nexport const x = createHash('sha1')\n",
      },
    ])
  })
})
