import { type Output, paint, printable, table } from '../output.ts'
import type { Inventory } from './inspect.ts'
import type { ListedEntry, ListedLease } from './look.ts'

/** Prints what was found; with `json` as one object with durations in ms. */
export function reportInventories(inventories: readonly Inventory[], json: boolean, output: Output): void {
  if (json) {
    output.write(`${JSON.stringify({ instances: inventories }, null, 2)}\n`)
    return
  }
  for (const { instance, leases, entries } of inventories) {
    output.write(`${paint(output, 'bold', printable(instance))}\n\n`)
    output.write(`${countOf('lease', leases)}\n${leases.items.length === 0 ? '' : leaseTable(leases.items)}\n`)
    output.write(`${countOf('entry', entries)}\n${entries.items.length === 0 ? '' : entryTable(entries.items)}\n`)
  }
}

const PLURALS = { lease: 'leases and locks', entry: 'entries' } as const

function countOf(kind: keyof typeof PLURALS, { total, items }: { total: number; items: readonly unknown[] }): string {
  const what = `${total} ${PLURALS[kind]}`
  return items.length < total ? `${what}, the first ${items.length}; --limit shows more` : what
}

function leaseTable(leases: readonly ListedLease[]): string {
  return table(
    ['key', 'of', 'holder', 'remaining ms', 'waiting'],
    leases.map(({ kind, key, holder, remaining, waiters }) => [
      ...[printable(key), kind === 'lease' ? 'a refill' : 'Locker'],
      ...[holder === undefined ? 'another program' : printable(holder), remaining, waiters],
    ]),
  )
}

function entryTable(entries: readonly ListedEntry[]): string {
  return table(
    ['key', 'state', 'fresh ms', 'revalidate ms', 'if error ms', 'expires ms', 'bytes', 'load ms', 'tags'],
    entries.map((entry) => [
      ...[printable(entry.key), entry.state, entry.fresh, entry.staleWhileRevalidate, entry.staleIfError],
      ...[entry.expires, entry.size, entry.loadTime, printable(entry.tags.join(' '))],
    ]),
  )
}
