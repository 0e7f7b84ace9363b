import { rm, writeFile } from 'node:fs/promises'
import { barChart, type Panel } from '../../docs/pictures/drawing/bars.ts'
import type { Picture } from '../../docs/pictures/drawing/paper.ts'
import { readResults, type Results } from '../measure/results.ts'

/** One question of a bench, as its results name it, and how the plot puts it. */
interface Question {
  readonly asked: string
  readonly heading: string
  readonly isLogarithmic?: boolean
}

interface Plot {
  /** Of the file, after `bench-`. */
  readonly name: string
  readonly bench: string
  readonly title: string
  readonly questions: readonly Question[]
  /** How it was measured, where contenders did not take turns. */
  readonly measured?: string
}

const plots: readonly Plot[] = [
  {
    name: 'herd',
    bench: 'cache',
    title: 'A herd on one cold key: 8 processes of 1000 callers each',
    questions: [
      { asked: 'nothing stored, 8 processes x 1000 callers: loader runs', heading: 'loader runs; fewer is better' },
      {
        asked: 'nothing stored, 8 processes x 1000 callers: commands',
        heading: 'commands to Redis, logarithmic scale; fewer is better',
        isLogarithmic: true,
      },
    ],
  },
  {
    name: 'memory',
    bench: 'cache',
    title: 'A hit in memory',
    questions: [
      {
        asked: 'hit in memory, one after another: share of the limit',
        heading: 'hits one after another, as a share of what a Map of resolved promises does; more is better',
      },
      {
        asked: 'hit in memory, 1000 at once: share of the limit',
        heading: '1000 hits at once, likewise; more is better',
      },
      {
        asked: 'garbage of a hit in memory: bytes',
        heading: 'bytes of garbage a hit; fewer is better',
      },
    ],
  },
  {
    name: 'redis',
    bench: 'cache',
    title: 'A hit in Redis',
    questions: [64, 1000].map((callers) => ({
      asked: `hit in Redis, JSON of 100 B, ${callers} at once: share of single GETs`,
      heading: `hits in Redis, ${callers} callers at once, as a share of what single GETs do; more is better`,
    })),
  },
  {
    name: 'lock',
    bench: 'lock',
    title: 'The lock beside others',
    questions: [
      {
        asked: 'pairs per second, 100 at once, as a share of the limit',
        heading: 'acquire and release, 100 at once, as a share of SET NX and compare-and-delete; more is better',
      },
      {
        asked: 'hand-off p50 in ms, 10 waiters in 4 processes',
        heading:
          'ms from a release to the next holder, p50, 10 waiters in 4 processes, logarithmic scale; fewer is better',
        isLogarithmic: true,
      },
      {
        asked: 'commands a hand-off, 100 waiters',
        heading: 'commands to Redis for a hand-off, 100 waiters; fewer is better',
      },
    ],
  },
  {
    name: 'http',
    bench: 'http',
    title: 'Whole HTTP responses',
    questions: [
      {
        asked: 'hits per second, 1 KB, as a share of bare node:http',
        heading: 'hits of 1 KB a second, as a share of bare node:http without a cache; more is better',
      },
      {
        asked: '1000 at once, handler of 200 ms, cold: handler runs',
        heading: 'handler runs when 1000 ask at once for what is not stored, logarithmic scale; fewer is better',
        isLogarithmic: true,
      },
    ],
  },
  {
    name: 'scale',
    bench: 'scale',
    title: 'What a change costs Redis, by processes that listen',
    measured: 'a Redis of its own; ms of its thread by INFO cpu',
    questions: [
      {
        asked: "one change that comes alone: ms of Redis's thread",
        heading: "one change that comes alone: ms of Redis's thread, logarithmic scale; fewer is better",
        isLogarithmic: true,
      },
      {
        asked: "one of 100 changes at once: ms of Redis's thread",
        heading: 'one of 100 changes that a process makes at once, likewise',
        isLogarithmic: true,
      },
      {
        asked: "ways to tell of a change, 10000 processes: ms of Redis's thread",
        heading: 'one change, at the level of commands, 10 000 processes, likewise',
        isLogarithmic: true,
      },
    ],
  },
]

/** The plots for which something was measured. A plot without any figure is none. */
export async function plotPictures(): Promise<Picture[]> {
  const drawn: Picture[] = []
  for (const plot of plots) {
    const results = await readResults(plot.bench)
    const panels = results === undefined ? [] : plot.questions.flatMap((question) => panelOf(question, results))
    if (results !== undefined && panels.length > 0) drawn.push(pictureOf(plot, panels, results))
  }
  return drawn
}

/** Draws all plots into the docs; names the questions that have no figures yet. */
export async function drawPlots(): Promise<void> {
  const drawn = await plotPictures()
  for (const { name } of plots) {
    const file = new URL(`../../docs/pictures/bench-${name}.svg`, import.meta.url)
    const picture = drawn.find((each) => each.name === `bench-${name}`)
    if (picture === undefined) await rm(file, { force: true })
    else await writeFile(file, picture.svg)
  }
  for (const { bench, questions } of plots) {
    const { figures = {} } = (await readResults(bench)) ?? {}
    const missing = questions.filter(({ asked }) => figures[asked] === undefined)
    for (const { asked } of missing) console.log(`not measured yet by npm run bench -- ${bench}: ${asked}`)
  }
  console.log(`drawn: ${drawn.map(({ name }) => name).join(', ') || 'nothing'}`)
}

function panelOf({ asked, heading, isLogarithmic = false }: Question, { figures }: Results): Panel[] {
  const bars = Object.entries(figures[asked] ?? {}).flatMap(([label, value]) =>
    value === null ? [] : [{ label, value, kind: kindOf(label) }],
  )
  return bars.length === 0 ? [] : [{ heading, bars, isLogarithmic }]
}

function kindOf(contender: string): Panel['bars'][number]['kind'] {
  if (contender.startsWith('herdlock')) return 'ours'
  return /^(limit|the least)/.test(contender) ? 'least' : 'plain'
}

function pictureOf(
  { name, title, measured }: Plot,
  panels: readonly Panel[],
  { node, cores, quick }: Results,
): Picture {
  const lines = panels.map(
    ({ heading, bars }) => `${heading}: ${bars.map(({ label, value }) => `${label} ${value}`).join(', ')}.`,
  )
  const rounds = quick ? ', few rounds' : ''
  return barChart({
    ...{ name: `bench-${name}`, title, description: `${title}. ${lines.join(' ')}`, panels },
    footnote: `Node ${node.slice(1)}, ${cores} cores, ${measured ?? 'a Redis of its own; medians of contenders that took turns'}${rounds}.`,
  })
}
