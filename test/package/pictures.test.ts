import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { plotPictures } from '../../bench/plot/plots.ts'
import { pictures } from '../../docs/pictures/pictures.ts'
import { ROOT } from './packed.ts'

const FOLDER = join(ROOT, 'docs', 'pictures')
const plots = await plotPictures()
const all = [
  ...pictures.map((picture) => ({ ...picture, command: 'npm run pictures' })),
  ...plots.map((picture) => ({ ...picture, command: 'npm run bench -- --plot' })),
]

describe('the pictures of the docs', () => {
  it.each(all)('$name is what its source draws; else: $command', async ({ name, svg }) => {
    expect(await readFile(join(FOLDER, `${name}.svg`), 'utf8')).toBe(svg)
  })

  it('all have a source', async () => {
    const files = (await readdir(FOLDER)).filter((file) => file.endsWith('.svg'))
    expect(files.sort()).toEqual(all.map(({ name }) => `${name}.svg`).sort())
  })

  it.each(all)('$name says what is to be seen, in text, in light and dark', ({ svg }) => {
    expect(svg).toMatch(/<title id="title">[^<]+<\/title>\s*<desc id="description">[^<]{40,}<\/desc>/)
    expect(svg).toContain('aria-labelledby="title description"')
    expect(svg).toContain('prefers-color-scheme: dark')
    expect(svg).toContain('<text class="text"')
    expect(svg).not.toMatch(/<script|NaN|undefined|Infinity|href=/)
  })

  it('is used by a page', async () => {
    const pages = (await readdir(join(ROOT, 'docs')))
      .filter((file) => file.endsWith('.md'))
      .map((file) => `docs/${file}`)
    const texts = await Promise.all(
      [...pages, 'README.md', 'DESIGN.md'].map((file) => readFile(join(ROOT, file), 'utf8')),
    )
    const unused = all.filter(({ name }) => !texts.some((text) => text.includes(`pictures/${name}.svg`)))
    expect(unused.map(({ name }) => name)).toEqual([])
  })
})
