import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RedisServer, startRedis } from '../support/redis-server.ts'
import { type Consumer, installed, pack, type Packed } from './packed.ts'
import { type Block, type Page, readPages } from './pages.ts'
import { prepareSnippets, type Snippets } from './snippets.ts'

const TIMEOUT = 120_000

/** Pages whose first block is a quick start, beside those of the README. */
const FRAMEWORKS = ['fastify', 'hono', 'koa', 'nestjs', 'fetch']
const BORROWED = [
  ...['express', '@types/express', 'ioredis', 'typescript', '@types/node', 'fastify', 'hono', '@hono/node-server'],
  ...['koa', '@types/koa', '@nestjs/common', '@nestjs/core', '@nestjs/platform-express', 'reflect-metadata', 'rxjs'],
]

/** The quick starts, copied as they stand into projects that have the packed package and what they import. */
describe('the quick starts in an empty project', { timeout: TIMEOUT }, () => {
  let packed: Packed
  let consumer: Consumer
  let redis: RedisServer
  let pages: Page[]
  beforeAll(async () => {
    pages = await readPages()
    ;[packed, redis] = await Promise.all([pack(), startRedis()])
    consumer = await installed(packed.tarball, { borrowed: BORROWED })
    for (const [name, manifest] of [
      ['modules', '{"type":"module"}'], // npm pkg set type=module
      ['common', '{}'], // npm init -y
    ] as const) {
      await mkdir(join(consumer.folder, name))
      await writeFile(join(consumer.folder, name, 'package.json'), manifest)
    }
  }, TIMEOUT)
  afterAll(async () => {
    await consumer?.remove()
    await packed?.remove()
    await redis?.stop()
  })

  /** A page with some of its blocks. */
  function some(path: string, choose: (blocks: readonly Block[]) => readonly Block[]): Page {
    const page = pages.find((each) => each.path === path)
    if (page === undefined) throw new Error(`there is no page ${path}`)
    return { ...page, blocks: choose(page.blocks) }
  }

  const programs = (blocks: readonly Block[]): Block[] => blocks.filter(({ language }) => /^[jt]s$/.test(language))
  const ofCommonJs = (blocks: readonly Block[]): Block[] => blocks.filter(({ words }) => words.includes('commonjs'))
  const first = (blocks: readonly Block[]): Block[] => programs(blocks).slice(0, 1)

  /** What each program printed. */
  async function runAll(chosen: readonly Page[], project: string, options = {}): Promise<string[]> {
    const snippets: Snippets = await prepareSnippets(chosen, redis.url, {
      home: join(consumer.folder, project),
      options,
    })
    await snippets.compile()
    const printed: string[] = []
    for (const snippet of snippets.list) printed.push(await snippets.run(snippet))
    return printed
  }

  /** The three of the README: a middleware, which is asked twice, a cache, and a lock, which says nothing if it has it. */
  const ofReadme = [expect.stringMatching(/\/report 200 .*fwd-status=200/), 'Ada\n', '']

  it('are TypeScript, strict, for each framework', async () => {
    const all = [some('README.md', programs), ...FRAMEWORKS.map((name) => some(`docs/${name}.md`, first))]
    const [middleware, cache, lock, ...frameworks] = await runAll(all, 'modules')
    expect([middleware, cache, lock]).toEqual(ofReadme)
    expect(frameworks.map((printed) => / 200 /.test(printed))).toEqual(FRAMEWORKS.map(() => true))
  })

  it('are ES modules as they stand', async () => {
    const asModules = some('README.md', (blocks) => programs(blocks).map((block) => ({ ...block, language: 'js' })))
    expect(await runAll([asModules], 'modules')).toEqual(ofReadme)
  })

  it('are TypeScript in a project of CommonJS, where nothing is awaited at the top', async () => {
    const withoutAwait = some('README.md', (blocks) =>
      programs(blocks).filter(({ lines }) => !lines.some((line) => /^(const \w+ = )?await /.test(line))),
    )
    expect(await runAll([withoutAwait], 'common', { verbatimModuleSyntax: false })).toEqual(ofReadme.slice(0, 1))
  })

  it('have one of each kind for CommonJS', async () => {
    const [cache, middleware, lock, ...more] = await runAll(
      [some('docs/getting-started.md', ofCommonJs), some('docs/lock.md', ofCommonJs)],
      'common',
    )
    expect(cache).toBe("{ id: 1, name: 'Ada' }\n")
    expect(middleware).toMatch(/\/report 200 .*fwd-status=200/)
    expect([lock, more]).toEqual(['made by one process\n', []])
  })
})
