import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from './packed.ts'

/** A page of documentation. */
export interface Page {
  /** Path in the project. */
  readonly path: string
  readonly text: string
  readonly blocks: readonly Block[]
}

/** A fenced code block. */
export interface Block {
  readonly language: string
  /** The words that follow the language. */
  readonly words: readonly string[]
  /** Number in the page, from 1, of the line after the opening fence. */
  readonly line: number
  readonly lines: readonly string[]
}

/** README.md and its like, everything under docs/, and the index of the examples. */
export async function readPages(): Promise<Page[]> {
  const top = await readdir(ROOT)
  const docs = (await readdir(join(ROOT, 'docs'), { recursive: true })).map((path) => `docs/${path}`)
  const paths = [...top, ...docs, 'examples/README.md'].filter((path) => path.endsWith('.md'))
  return Promise.all(
    paths.map(async (path) => {
      const text = await readFile(join(ROOT, path), 'utf8')
      return { path, text, blocks: blocksOf(path, text) }
    }),
  )
}

const FENCE = /^\s*(`{3,}|~{3,})\s*(.*)$/

function blocksOf(path: string, text: string): Block[] {
  const blocks: Block[] = []
  const lines = text.split('\n')
  for (let at = 0; at < lines.length; at++) {
    const [, fence, info] = FENCE.exec(lines[at] as string) ?? []
    if (fence === undefined || info === undefined) continue
    const end = lines.findIndex((line, index) => index > at && line.trim() === fence)
    if (end === -1) throw new Error(`${path}:${at + 1}: the code block has no end`)
    const [language = '', ...words] = info.split(/\s+/)
    blocks.push({ language, words, line: at + 2, lines: lines.slice(at + 1, end) })
    at = end
  }
  return blocks
}
