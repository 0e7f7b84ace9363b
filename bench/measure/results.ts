import { readFile, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'

/** Figures by question and contender; null where there was none. */
export type Figures = Readonly<Record<string, Readonly<Record<string, number | null>>>>

/** What a bench has measured, and where. */
export interface Results {
  readonly node: string
  readonly cores: number
  /** Measured in fewer rounds. */
  readonly quick: boolean
  readonly figures: Figures
}

/** The kept results of a bench; `undefined` if there are none. */
export async function readResults(bench: string): Promise<Results | undefined> {
  const text = await readFile(fileOf(bench), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as Results)
}

/** Keeps figures beside those of other parts and contenders of the same bench, in place of older ones. */
export async function keepFigures(bench: string, figures: Figures, quick: boolean): Promise<void> {
  const before = (await readResults(bench))?.figures
  const merged = Object.entries(figures).map(([question, own]) => [question, { ...before?.[question], ...own }])
  const results: Results = {
    node: process.version,
    cores: availableParallelism(),
    quick,
    figures: { ...before, ...(Object.fromEntries(merged) as Figures) },
  }
  await writeFile(fileOf(bench), `${JSON.stringify(results, null, 2)}\n`)
}

function fileOf(bench: string): URL {
  return new URL(`../results/${bench}.json`, import.meta.url)
}
