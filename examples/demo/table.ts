import type { PhaseResult } from './scenario.ts'

/** The results, one line a phase; with several processes also how the runs are spread over them. */
export function table(results: readonly PhaseResult[], several: boolean): string {
  const head = ['', 'requests', 'handler runs', 'waited', 'p50', 'slowest', 'errors']
  const rows = results.map((result) => [
    result.name,
    String(result.requests),
    several ? `${total(result.runs)} (${result.runs.join('+')})` : String(total(result.runs)),
    String(result.waited),
    readable(percentile(result.latencies, 0.5)),
    readable(percentile(result.latencies, 1)),
    String(result.errors.length),
  ])
  const lines = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] as string).length)))
  return lines.map((line) => line.map((cell, column) => align(cell, column, widths)).join('  ')).join('\n')
}

export function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0)
}

/** The value that the given share of all does not exceed (nearest rank); NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const ascending = values.toSorted((a, b) => a - b)
  return ascending[Math.ceil(share * ascending.length) - 1] ?? Number.NaN
}

function readable(duration: number): string {
  if (duration >= 1000) return `${(duration / 1000).toFixed(1)} s`
  return `${duration < 10 ? duration.toFixed(1) : Math.round(duration)} ms`
}

function align(cell: string, column: number, widths: readonly number[]): string {
  const width = widths[column] as number
  return column === 0 ? cell.padEnd(width) : cell.padStart(width)
}
