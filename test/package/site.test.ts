import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { readPages } from './pages.ts'
import { ROOT, run } from './packed.ts'

const DIST = join(ROOT, 'site', 'dist')
/** It may have to install its tools. */
const TIMEOUT = 300_000

interface HtmlPage {
  readonly path: string
  readonly ids: ReadonlySet<string>
  readonly links: readonly string[]
}

describe('the site of the docs', () => {
  const html = new Map<string, HtmlPage>()
  beforeAll(async () => {
    await run(process.execPath, ['--import', 'tsx', join(ROOT, 'site', 'build.ts')], ROOT)
    const files = (await readdir(DIST, { recursive: true })).filter((file) => file.endsWith('.html'))
    for (const path of files) html.set(path, htmlPage(path, await readFile(join(DIST, path), 'utf8')))
  }, TIMEOUT)

  it('has a page for each of ours, and begins with the landing page', async () => {
    const pages = (await readPages()).map(({ path }) => path).filter((path) => path.startsWith('docs/'))
    const expected = pages.map((path) => path.replace(/^docs\/(.*)\.md$/, '$1.html'))
    expect(expected.filter((path) => !html.has(path))).toEqual([])
    expect(html.has('index.html')).toBe(true)
  })

  it('leads from the landing page to every page of the docs', async () => {
    const index = await readFile(join(ROOT, 'docs', 'index.md'), 'utf8')
    const pages = (await readdir(join(ROOT, 'docs'))).filter((file) => file.endsWith('.md') && file !== 'index.md')
    expect(pages.filter((page) => !new RegExp(`^- .*\\(${page}\\)`, 'm').test(index))).toEqual([])
  })

  it('says at the end of every page where to go on', async () => {
    const pages = (await readPages()).filter(({ path }) => path.startsWith('docs/') && path !== 'docs/index.md')
    const leadsOn = /^(## Next\n\n- .*|Next: .*)\]\((?!https?:)[^)#]+/m
    expect(pages.filter(({ text }) => !leadsOn.test(text)).map(({ path }) => path)).toEqual([])
  })

  it('has no link to a page, a picture or a section that is not there', () => {
    const broken = [...html.values()].flatMap(({ path, links }) =>
      links.filter((link) => !leadsSomewhere(path, link, html)).map((link) => `${path}: ${link}`),
    )
    expect(broken).toEqual([])
  })

  it('can be searched for what its pages and the API reference say', async () => {
    const assets = await readdir(join(DIST, 'assets'), { recursive: true })
    const index = assets.find((file) => file.includes('localSearchIndex'))
    const text = await readFile(join(DIST, 'assets', index ?? 'no search index'), 'utf8')
    const sections = [
      '/freshness.html#remembering-failures',
      '/recipes.html',
      '/drills.html',
      '/api/herdlock/functions/',
    ]
    expect(sections.filter((section) => !text.includes(section))).toEqual([])
  })

  it('describes everything that the package exports', async () => {
    const { exports } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { exports: object }
    const modules = Object.keys(exports).filter((name) => name !== './package.json')
    const expected = modules.map((name) => posix.join('api', 'herdlock', name, 'index.html'))
    expect(expected.filter((path) => !html.has(path))).toEqual([])
    expect([...html.keys()]).toEqual(expect.arrayContaining(['api/herdlock/functions/createCache.html']))
  })
})

function htmlPage(path: string, text: string): HtmlPage {
  const all = (pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, found]) => decodeURI(found as string))
  return {
    path,
    ids: new Set(all(/\sid="([^"]+)"/g)),
    links: all(/<(?:a|img|link|script)\b[^>]*?\s(?:href|src)="([^"]+)"/g),
  }
}

/** Links to elsewhere are none of our business. */
function leadsSomewhere(path: string, link: string, html: ReadonlyMap<string, HtmlPage>): boolean {
  if (/^(https?:|mailto:|data:)/.test(link)) return true
  const [to = '', anchor] = link.split('#')
  const absolute = to === '' ? path : to.startsWith('/') ? to.slice(1) : posix.join(dirname(path), to)
  const file = absolute === '' || absolute.endsWith('/') ? `${absolute}index.html` : absolute
  const page = html.get(file)
  if (page === undefined) return existsSync(join(DIST, file))
  return anchor === undefined || anchor === '' || page.ids.has(anchor)
}
