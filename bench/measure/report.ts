import { writeFile } from 'node:fs/promises'

/** Figures by question and contender; printed as they come, and kept for a file. */
export class Report {
  readonly #results: Record<string, Record<string, number>> = {}

  add(question: string, figures: ReadonlyMap<string, number | undefined>): void {
    const own: Record<string, number> = {}
    this.#results[question] = own
    console.log(`\n${question}`)
    for (const [name, figure] of figures) {
      if (figure === undefined || Number.isNaN(figure)) continue
      own[name] = Number(figure.toPrecision(3))
      console.log(`  ${name.padEnd(44)} ${own[name]}`)
    }
  }

  async save(file: string): Promise<void> {
    await writeFile(file, `${JSON.stringify(this.#results, null, 2)}\n`)
  }
}

export function optionAfter(flag: string): string | undefined {
  const index = process.argv.indexOf(flag)
  return index === -1 ? undefined : process.argv[index + 1]
}
