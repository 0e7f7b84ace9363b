import { readFileSync } from 'node:fs'
import { access } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type RedisServer, startRedis } from '../support/redis-server.ts'
import { slug } from '../../site/slug.ts'
import { type Block, type Page, readPages } from './pages.ts'
import { ROOT } from './packed.ts'
import { prepareSnippets, type Snippets } from './snippets.ts'

/** Languages of blocks that are run, checked for their scripts, and shown only. A block must have one of them. */
const RUN = ['ts', 'js']
const SHELL = ['bash', 'sh']
const SHOWN = ['text', 'json', 'http', 'lua', 'mermaid']

const pages = await readPages()
/** The sections of each page, as links name them. */
const anchors = new Map(pages.map((page) => [page.path, headingsOf(page).map(slug)]))
const blocks = pages.flatMap((page) => page.blocks.map((block) => ({ page, block })))

describe('the code in our pages', () => {
  let redis: RedisServer
  let snippets: Snippets
  let compiled: Promise<void>
  beforeAll(async () => {
    redis = await startRedis()
    snippets = await prepareSnippets(pages, redis.url)
    compiled = snippets.compile()
    compiled.catch(() => {}) // told by the tests that need it
  })
  afterAll(async () => {
    await snippets?.remove()
    await redis?.stop()
  })
  beforeEach(async () => void (await redis.command('FLUSHALL')))

  it('says in what language it is', () => {
    const known = [...RUN, ...SHELL, ...SHOWN]
    const others = blocks.filter(({ block }) => !known.includes(block.language))
    expect(others.map(where)).toEqual([])
  })

  it('type-checks in a strict project', () => compiled, 60_000)

  const runnable = blocks.filter(({ block }) => RUN.includes(block.language)).map(where)
  it.each(runnable)('%s runs', async (name) => {
    await compiled.catch(() => {}) // errors of type do not keep the others from running
    const snippet = snippets.list.find((candidate) => candidate.name === name)
    if (snippet === undefined) throw new Error(`${name} was made no program`)
    await snippets.run(snippet)
  })

  it('has some in the README', () => {
    expect(runnable.filter((name) => name.startsWith('README.md')).length).toBeGreaterThanOrEqual(3)
  })
})

describe('what our pages point to', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object }

  it.each(pages.map(({ path, text }) => [path, text]))('%s names only scripts that exist', (_path, text) => {
    const named = [...text.matchAll(/\bnpm run (?:--\S+ )*([\w:-]+)/g)].map(([, name]) => name as string)
    const builtIn = /\bnpm test\b/.test(text) ? ['test'] : []
    expect([...named, ...builtIn].filter((name) => !(name in scripts))).toEqual([])
  })

  it.each(pages.map((page) => [page.path, page] as const))('%s links only to what exists', async (path, page) => {
    const targets = [...prose(page).matchAll(/\]\(([^)\s]+)\)|\b(?:src|srcset|href)="([^"]+)"/g)]
      .map(([, link, source]) => link ?? source ?? '')
      .filter((target) => !/^[a-z]+:/.test(target))
    const missing: string[] = []
    for (const target of targets) {
      const [file = '', anchor] = target.split('#')
      const linked = file === '' ? path : posix.join(dirname(path), file)
      const isThere = await access(join(ROOT, linked)).then(
        () => anchor === undefined || anchors.get(linked)?.includes(anchor),
        () => false,
      )
      if (!isThere) missing.push(target)
    }
    expect(missing).toEqual([])
  })
})

function where({ page, block }: { page: Page; block: Block }): string {
  return `${page.path}:${block.line}`
}

function headingsOf(page: Page): string[] {
  return [...prose(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading as string)
}

/** A page without its code, in which brackets mean something else. */
function prose({ text, blocks: code }: Page): string {
  const lines = text.split('\n')
  for (const { line, lines: own } of code) for (let at = 0; at < own.length; at++) lines[line - 1 + at] = ''
  return lines.join('\n')
}
