import { readFile, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'

/** Figures by question and contender; null where there was none. */
export type Figures = Readonly<Record<string, Readonly<Record<string, number | null>>>>

/** What a bench has measured, and where. */
export interface Results {
  readonly node: string
  readonly cores: number
  /** Some of it was measured in fewer rounds. */
  readonly quick: boolean
  readonly figures: Figures
}

/** The major version of Node whose results are kept under the bare name of the bench. */
const USUAL = 20

/** The kept results of a bench on that major version of Node; `undefined` if there are none. */
export async function readResults(bench: string, node: number = USUAL): Promise<Results | undefined> {
  const text = await readFile(fileOf(bench, node), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as Results)
}

/** Keeps figures beside those of other parts and contenders of the same bench and Node, in place of older ones. */
export async function keepFigures(bench: string, figures: Figures, quick: boolean): Promise<void> {
  const node = Number.parseInt(process.versions.node)
  const kept = await readResults(bench, node)
  const before = kept?.figures
  const keepsQuick = kept?.quick === true && Object.keys(kept.figures).some((question) => !(question in figures))
  const merged = Object.entries(figures).map(([question, own]) => [question, { ...before?.[question], ...own }])
  const results: Results = {
    node: process.version,
    cores: availableParallelism(),
    quick: quick || keepsQuick,
    figures: { ...before, ...(Object.fromEntries(merged) as Figures) },
  }
  await writeFile(fileOf(bench, node), `${JSON.stringify(results, null, 2)}\n`)
}

function fileOf(bench: string, node: number): URL {
  return new URL(`../results/${bench}${node === USUAL ? '' : `-node${node}`}.json`, import.meta.url)
}
