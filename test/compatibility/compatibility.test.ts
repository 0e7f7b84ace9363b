import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { formattedPage, installed, PAGE, recorded } from './recorded.ts'
import { CLIENTS, FRAMEWORKS } from './tested.ts'
import { BUN, DENO, NODES } from './versions.ts'

describe('docs/compatibility.md', () => {
  it('says what the tests have recorded: npm run compatibility makes it', async () => {
    expect(await readFile(PAGE, 'utf8')).toBe(await formattedPage(await recorded()))
  })

  it('names the clients and frameworks that are installed: npm run compatibility notes them', async () => {
    const { clients, frameworks } = await recorded()
    expect({ clients, frameworks }).toEqual(await installed())
  })

  it('names the runtimes that are fetched: npm run test:runtimes notes them when it has passed', async () => {
    expect((await recorded()).runtimes).toEqual({ ...NODES, Bun: BUN, Deno: DENO })
  })

  it.each([...CLIENTS, ...FRAMEWORKS])('names $name, which $by imports', async ({ package: name, by }) => {
    expect(await readFile(new URL(`../../${by}`, import.meta.url), 'utf8')).toMatch(
      new RegExp(`(from |import\\()'${name}['/]`),
    )
  })
})
