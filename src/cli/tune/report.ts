import { type Output, paint, printable, table } from '../output.ts'
import { bytes } from '../doctor/memory.ts'
import { duration, secondsOf } from './figures.ts'
import { type Cell, ENOUGH } from './grid.ts'
import type { Tuning } from './tune.ts'

/** Prints the results for a log. */
export function reportTuning(tuning: Tuning, json: boolean, output: Output): void {
  output.write(json ? `${JSON.stringify(asJson(tuning))}\n` : asText(tuning, output))
}

function asText({ log, cells, advised }: Tuning, output: Output): string {
  const { recording, lines, others, bad, badLines } = log
  const seconds = secondsOf(recording.span)
  const head = [
    `${recording.length} requests for ${recording.keys} keys in ${duration(recording.span)}, ${rate(recording.length / seconds)} a second`,
    `${lines} lines: ${others} are no GET or HEAD that a cache takes up, ${bad} could not be read`,
    ...badLines.map(({ number, text }) => paint(output, 'dim', `  line ${number}: ${printable(text.slice(0, 100))}`)),
    ...(recording.isSpread ? ['The lines name whole seconds: requests of one second were spread over it.'] : []),
  ]
  const row = (cell: Cell): (string | number)[] => [
    cell.with === 'herdlock'
      ? 'herdlock'
      : `plain cache, ${cell.processes} ${cell.processes === 1 ? 'process' : 'processes'}`,
    duration(cell.ttl),
    cell.with === 'herdlock' ? duration(cell.staleWhileRevalidate) : '-',
    rate(cell.loads / seconds),
    share(cell.loads / recording.length),
    share(cell.stale / recording.length),
    share(cell.waited / recording.length),
    cell.herd,
    bytes(cell.bytes),
  ]
  const columns = [
    'with',
    'ttl',
    'stale',
    'loads/s',
    'of requests',
    'stale answers',
    'waited',
    'worst herd',
    'bytes loaded',
  ]
  return `${head.join('\n')}\n\n${table(columns, cells.map(row))}\n${advice(advised, cells)}\n`
}

function advice(advised: number | undefined, cells: readonly Cell[]): string {
  const longest = Math.max(...cells.map(({ ttl }) => ttl))
  if (advised === undefined) return 'No ttl spares a load here: hardly any key is asked for twice in that time.'
  if (advised === longest) {
    return `A ttl of ${duration(longest)}, the longest that was tried, still gains. Try longer ones with --ttl.`
  }
  return `A ttl of ${duration(advised)} spares ${share(ENOUGH)} of the loads that ${duration(longest)} would spare. A longer one makes values older and gains little.`
}

function asJson({ log, cells, advised }: Tuning): object {
  const { recording, lines, others, bad, badLines } = log
  const seconds = secondsOf(recording.span)
  return {
    ...{ requests: recording.length, keys: recording.keys, seconds, lines, others, bad, badLines },
    ...{ spread: recording.isSpread, advisedTtl: advised ?? null },
    results: cells.map(({ with: kind, processes, ...rest }) => ({
      ...{ with: kind, processes: processes ?? null, ...rest, loadsPerSecond: rest.loads / seconds },
    })),
  }
}

function rate(perSecond: number): string {
  return perSecond >= 100 ? String(Math.round(perSecond)) : String(Number(perSecond.toPrecision(3)))
}

function share(of: number): string {
  return `${Number((of * 100).toPrecision(2))} %`
}
