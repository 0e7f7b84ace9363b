export interface ScrapedSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Scraped {
  readonly samples: readonly ScrapedSample[]
  /** Type of each family, by its name. */
  readonly types: ReadonlyMap<string, string>
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)/y
const COMMENT = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.*)$/

/** Reads Prometheus's text format; throws for a line that is none of it, and for two samples of one time series. */
export function parseScrape(text: string): Scraped {
  const samples: ScrapedSample[] = []
  const types = new Map<string, string>()
  const seen = new Set<string>()
  for (const line of text.split('\n')) {
    if (line === '' || line === '# EOF') continue
    const [, kind, family = '', rest = ''] = COMMENT.exec(line) ?? []
    if (kind === 'TYPE') types.set(family, rest)
    if (kind !== undefined) continue
    const [, name, labels = '', value] = SAMPLE.exec(line) ?? []
    if (name === undefined || value === undefined) throw new Error(`no line of a scrape: ${line}`)
    const sample = { name, labels: readLabels(labels), value: Number(value) }
    const series = JSON.stringify([
      name,
      Object.keys(sample.labels)
        .toSorted()
        .map((label) => [label, sample.labels[label]]),
    ])
    if (seen.has(series)) throw new Error(`told twice: ${line}`)
    seen.add(series)
    samples.push(sample)
  }
  return { samples, types }
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < text.length) {
    const at = LABEL.lastIndex
    const [, name, value] = LABEL.exec(text) ?? []
    if (name === undefined || value === undefined) throw new Error(`no labels of a scrape from ${at} on: ${text}`)
    labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))
  }
  return labels
}

/** The value of the one sample that has these labels among its own. */
export function valueOf({ samples }: Scraped, name: string, labels: Record<string, string>): number | undefined {
  const found = samples.filter(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )
  if (found.length > 1) throw new Error(`${found.length} samples of ${name} have the labels ${JSON.stringify(labels)}`)
  return found[0]?.value
}
