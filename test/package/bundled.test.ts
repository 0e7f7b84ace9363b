import { execFile } from 'node:child_process'
import { cp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import webpack from 'webpack'
import { sharedRedis, uniquePrefix } from '../support/shared-redis.ts'
import { type Consumer, installed, pack, type Packed, ROOT } from './packed.ts'

const LONG = 120_000

// esbuild's documentation has this for CommonJS modules within an ES module, such as those of ioredis.
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"

describe('the package in a bundle', { timeout: LONG }, () => {
  let packed: Packed
  let consumer: Consumer

  beforeAll(async () => {
    packed = await pack()
    consumer = await installed(packed.tarball)
    await cp(join(ROOT, 'test/package/bundle-entry.js'), join(consumer.folder, 'entry.mjs'))
  }, LONG)
  afterAll(async () => {
    await consumer?.remove()
    await packed?.remove()
  })

  it.each([
    ['esm', 'outside'],
    ['esm', 'inside'],
    ['cjs', 'outside'],
    ['cjs', 'inside'],
  ] as const)('works by esbuild as %s with ioredis %s', async (format, ioredis) => {
    const file = join(consumer.folder, `bundle-${ioredis}.${format === 'esm' ? 'mjs' : 'cjs'}`)
    await build({
      entryPoints: [join(consumer.folder, 'entry.mjs')],
      outfile: file,
      bundle: true,
      platform: 'node',
      format,
      external: ['@opentelemetry/api', 'prom-client', ...(ioredis === 'outside' ? ['ioredis'] : [])],
      banner: { js: format === 'esm' ? REQUIRE : '' },
      logLevel: 'silent',
    })
    await expectWorking(file)
  })

  it.each(['outside', 'inside'])('works by webpack with ioredis %s', async (ioredis) => {
    const errors = await promisify(webpackBuild)({
      mode: 'production',
      target: 'node20',
      context: consumer.folder,
      entry: join(consumer.folder, 'entry.mjs'),
      output: { path: consumer.folder, filename: `webpack-${ioredis}.cjs` },
      externals: ['@opentelemetry/api', 'prom-client', ...(ioredis === 'outside' ? ['ioredis'] : [])].map((name) => ({
        [name]: `commonjs ${name}`,
      })),
    })
    expect(errors).toEqual([])
    await expectWorking(join(consumer.folder, `webpack-${ioredis}.cjs`))
  })
})

type Built = (error: Error | null, errors?: readonly string[]) => void

function webpackBuild(configuration: webpack.Configuration, built: Built): void {
  webpack(configuration, (error, stats) =>
    built(
      error,
      stats?.toJson('errors-only').errors?.map(({ message }) => message),
    ),
  )
}

/** Runs a bundle of `bundle-entry.js`. */
async function expectWorking(file: string): Promise<void> {
  const env = { ...process.env, REDIS_URL: sharedRedis().url, PREFIX: uniquePrefix('bundle') }
  const { stdout } = await promisify(execFile)(process.execPath, [file], { env })
  const served = [200, true]
  expect(JSON.parse(stdout)).toEqual({ year: 1970, texts: [served, served, served, served] })
}

test('nothing but the command asks where its own file is', async () => {
  const files = (await readdir(join(ROOT, 'dist'), { recursive: true })).filter((name) => name.endsWith('.js'))
  const codes = await Promise.all(files.map((file) => readFile(join(ROOT, 'dist', file), 'utf8')))
  const asking = files.filter((_, index) => /import\.meta|__dirname|__filename|new Worker\(/.test(codes[index] ?? ''))
  expect(asking.filter((file) => file !== 'cli.js')).toEqual([])
  expect(asking).toContain('cli.js')
})
