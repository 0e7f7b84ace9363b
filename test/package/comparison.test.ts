import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { costs, figuresOf, rates } from '../../bench/plot/first-second.ts'
import { filledPage } from '../../bench/plot/tables.ts'
import { readResults } from '../../bench/measure/results.ts'
import { ROOT } from './packed.ts'

it('the tables of the comparison show what the bench has measured; else: npm run bench -- --plot', async () => {
  expect(await readFile(join(ROOT, 'docs', 'comparison.md'), 'utf8')).toBe(await filledPage())
})

it.each([20, 24])('they were measured on Node %i, in full', async (node) => {
  const results = await readResults('cache', node)
  expect(results?.node).toMatch(new RegExp(`^v${node}\\.`))
  expect(results?.quick).toBe(false)
})

it('whatever is compared was also measured in the first second of a process', async () => {
  const missing: string[] = []
  for (const row of [...rates, ...costs]) {
    const { second, warmed } = await figuresOf(row)
    for (const { ours, least } of [second, warmed]) {
      if (ours === undefined || (row.least !== undefined && least === undefined)) missing.push(row.label)
    }
  }
  expect(missing).toEqual([])
})
