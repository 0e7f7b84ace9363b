import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './packed.ts'

const page = (name: string): Promise<string> => readFile(join(ROOT, 'docs', name), 'utf8')

/** All that a pattern finds in the code. */
async function inSources(folder: string, pattern: RegExp): Promise<string[]> {
  const files = (await readdir(join(ROOT, 'src', folder), { recursive: true })).filter((name) => name.endsWith('.ts'))
  const texts = await Promise.all(files.map((file) => readFile(join(ROOT, 'src', folder, file), 'utf8')))
  return [...new Set(texts.flatMap((text) => [...text.matchAll(pattern)].map(([, name]) => name as string)))]
}

test('the page on stability names every error code, and no other', async () => {
  const codes = await inSources('.', /super\(\s*'([A-Z_]+)'/g)
  expect(codes.length).toBeGreaterThan(15)
  const section = /## Error codes([\s\S]*?)\n## /.exec(await page('stability.md'))?.[1] ?? ''
  const named = [...section.matchAll(/`([A-Z]+(?:_[A-Z]+)*)`/g)].map(([, name]) => name as string)
  expect(named.sort()).toEqual(codes.sort())
})

test('the page on telemetry names every channel, metric and span', async () => {
  const names = [
    ...(await inSources('.', /(?:channel|Channel)\('(herdlock:[\w-]+)'\)/g)),
    ...(await inSources('opentelemetry', /'(herdlock\.[\w.]+)'/g)),
    ...(await inSources('prometheus', /'(herdlock_\w+)'/g)),
  ]
  expect(names.length).toBeGreaterThan(30)
  const text = await page('telemetry.md')
  expect(names.filter((name) => !text.includes(name))).toEqual([])
})

test('the page on stability names the wire version in force', async () => {
  const [version] = await inSources('store', /MAGIC = '(\w+)'/g)
  expect(await page('stability.md')).toContain(`It is \`${version}\`.`)
})
