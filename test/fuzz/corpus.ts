import { readFile, writeFile } from 'node:fs/promises'

/** Inputs that were found to go wrong, or look as if they might, by the name of their target; in base64. */
export type Corpus = Record<string, string[]>

const FILE = new URL('corpus.json', import.meta.url)

export async function readCorpus(): Promise<Corpus> {
  return JSON.parse(await readFile(FILE, 'utf8')) as Corpus
}

export async function keepInCorpus(target: string, input: Uint8Array): Promise<void> {
  const corpus = await readCorpus()
  const text = Buffer.from(input).toString('base64')
  const known = corpus[target] ?? []
  if (!known.includes(text)) corpus[target] = [...known, text]
  await writeFile(FILE, `${JSON.stringify(corpus, null, 2)}\n`)
}
