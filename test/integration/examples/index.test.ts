import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const EXAMPLES = fileURLToPath(new URL('../../../examples/', import.meta.url))
const TESTS = fileURLToPath(new URL('.', import.meta.url))
const LONGEST = 100

const files = (await readdir(EXAMPLES)).filter((name) => name.endsWith('.ts'))
const index = await readFile(`${EXAMPLES}README.md`, 'utf8')
const tests = await Promise.all((await readdir(TESTS)).map((name) => readFile(TESTS + name, 'utf8')))

describe.each(files)('%s', (file) => {
  test('begins with its question, what to look at and how it is run, and is short', async () => {
    const lines = (await readFile(EXAMPLES + file, 'utf8')).split('\n')
    expect(lines.length).toBeLessThan(LONGEST)
    const comment = lines.slice(
      0,
      lines.findIndex((line) => !line.startsWith('//')),
    )
    expect(comment[0]).toMatch(/^\/\/ How .*\?$/)
    expect(comment.filter((line) => line.startsWith('// Look at: '))).toHaveLength(1)
    expect(comment.find((line) => line.startsWith('// Run: '))).toContain(`npm run example examples/${file}`)
  })

  test('is in the index, and run by a test', () => {
    expect(index).toContain(`](${file})`)
    expect(tests.some((text) => new RegExp(`['/]${file}'`).test(text))).toBe(true)
  })
})
