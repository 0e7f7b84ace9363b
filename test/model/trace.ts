const STATEMENT = /^\s*\d+:\tproc\s+(\d+) \((.+):\d+\) model\.pml:(\d+) \(state \d+\)\s*\[.*\]$/
const VARIABLE = /^\t\t(?:queue \d+ \((.+)\): (.*)|(.+) = (.*))$/

/** What one process did before another went on. */
interface Turn {
  readonly process: string
  readonly lines: number[]
  readonly changes: Map<string, string>
}

/**
 * The replay of Spin (`spin -t -p -g -l -B`) in short: one line a turn, with the process, the lines of the model that it ran
 * and what it changed.
 */
export function shorten(replay: string): string {
  const values = new Map<string, string>()
  const turns: Turn[] = []
  for (const line of replay.split('\n')) {
    const [, id, name, at] = STATEMENT.exec(line) ?? []
    const [, queue, contents, variable, value] = VARIABLE.exec(line) ?? []
    if (id !== undefined) {
      const process = `${name}(${id})`
      if (turns.at(-1)?.process !== process) turns.push({ process, lines: [], changes: new Map() })
      turns.at(-1)?.lines.push(Number(at))
    } else {
      const what = queue ?? variable
      const now = (contents ?? value)?.trim() ?? ''
      if (what === undefined || (values.get(what) ?? '') === now) continue
      values.set(what, now)
      turns.at(-1)?.changes.set(what, now === '' ? 'empty' : now)
    }
  }
  const end = replay.split('\n').filter((line) => line.startsWith('spin: '))
  return [...turns.map(inOneLine), ...end, ''].join('\n')
}

function inOneLine({ process, lines, changes }: Turn): string {
  const changed = [...changes].filter(([what]) => !what.startsWith('Redis(')).map(([what, value]) => `${what}=${value}`)
  return `${process.padEnd(12)} ${[...new Set(lines)].join(' ')}: ${changed.join('  ').replaceAll(`${process}:`, '')}`
}
