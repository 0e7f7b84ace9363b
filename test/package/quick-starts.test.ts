import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RedisServer, startRedis } from '../support/redis-server.ts'
import { type Consumer, installed, pack, type Packed } from './packed.ts'
import { type Page, readPages } from './pages.ts'
import { prepareSnippets, type Snippets } from './snippets.ts'

const TIMEOUT = 120_000

/** The blocks of the README, and the one for CommonJS, copied into a project that has nothing but the packed package. */
describe('the quick starts in an empty project', { timeout: TIMEOUT }, () => {
  let packed: Packed
  let consumer: Consumer
  let redis: RedisServer
  let readme: Page
  let start: Page
  beforeAll(async () => {
    const pages = await readPages()
    const page = (path: string): Page => pages.find((each) => each.path === path) as Page
    readme = page('README.md')
    const { blocks, ...rest } = page('docs/getting-started.md')
    start = { ...rest, blocks: blocks.filter(({ words }) => words.includes('commonjs')) }
    ;[packed, redis] = await Promise.all([pack(), startRedis()])
    consumer = await installed(packed.tarball)
    await mkdir(join(consumer.folder, 'quick'))
    await writeFile(join(consumer.folder, 'quick', 'package.json'), '{"type":"module"}') // npm pkg set type=module
  }, TIMEOUT)
  afterAll(async () => {
    await consumer?.remove()
    await packed?.remove()
    await redis?.stop()
  })

  async function runAll(pages: readonly Page[]): Promise<number> {
    const snippets: Snippets = await prepareSnippets(pages, redis.url, join(consumer.folder, 'quick'))
    await snippets.compile()
    for (const snippet of snippets.list) await snippets.run(snippet)
    return snippets.list.length
  }

  it('are TypeScript, strict', async () => {
    expect(await runAll([readme])).toBe(3)
  })

  it('are ES modules as they stand', async () => {
    const asModules = readme.blocks.map((block) => (block.language === 'ts' ? { ...block, language: 'js' } : block))
    expect(await runAll([{ ...readme, blocks: asModules }])).toBe(3)
  })

  it('have one for CommonJS', async () => {
    expect(await runAll([start])).toBe(1)
  })
})
