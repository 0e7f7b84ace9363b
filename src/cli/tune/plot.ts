import { duration, secondsOf } from './figures.ts'
import type { Cell } from './grid.ts'
import type { Recording } from './recording.ts'

const WIDTH = 800
const HEIGHT = 440
const LEFT = 80
const RIGHT = 250
const TOP = 50
const BOTTOM = 60

/** The dashes of the lines, the strongest first. Each line has its own dash, so colours are not needed to distinguish them. */
const DASHES = ['', '6 4', '2 3', '10 3 2 3', '1 5']

interface Curve {
  readonly name: string
  readonly kind: Cell['with']
  readonly points: readonly { readonly ttl: number; readonly loads: number }[]
}

/** A picture (SVG) of loads a second against ttl, both on logarithmic scales, for light and dark backgrounds. */
export function plot(recording: Recording, cells: readonly Cell[]): string {
  const seconds = secondsOf(recording.span)
  const curves = curvesOf(cells, seconds)
  const ttls = [...new Set(cells.map(({ ttl }) => ttl))].toSorted((one, other) => one - other)
  const rates = curves.flatMap(({ points }) => points.map(({ loads }) => loads)).filter((loads) => loads > 0)
  const x = scale(ttls[0] ?? 1, ttls.at(-1) ?? 1, LEFT, WIDTH - RIGHT)
  const [low, high] = [Math.min(...rates), Math.max(...rates)]
  const y = scale(low, high, HEIGHT - BOTTOM, TOP)
  const steps = stepsBetween(low, high)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="title description" font-family="system-ui, sans-serif" font-size="13">`,
    '<title id="title">Loads a second by ttl, with herdlock and without</title>',
    `<desc id="description">${described(curves)}</desc>`,
    `<style>${STYLE}</style>`,
    `<rect class="paper" width="${WIDTH}" height="${HEIGHT}"/>`,
    `<text class="text" x="${LEFT}" y="26" font-weight="600">Loads a second that reach the origin</text>`,
    ...steps.map((value) => horizontal(y(value), label(value))),
    ...ttls.map((ttl) => text(x(ttl), HEIGHT - BOTTOM + 22, duration(ttl), 'middle')),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, 'ttl', 'middle'),
    ...curves.map((curve, index) => drawn(curve, index, { x, y, low })),
    '</svg>\n',
  ].join('\n')
}

const STYLE =
  '.paper{fill:#fff}.text{fill:#1f2328}.grid{stroke:#d0d7de}.ours{stroke:#0969da;fill:#0969da}.plain{stroke:#bc4c00;fill:#bc4c00}' +
  '.curve{fill:none;stroke-width:2.5}.name{stroke:none}' +
  '@media(prefers-color-scheme: dark){.paper{fill:#0d1117}.text{fill:#e6edf3}.grid{stroke:#30363d}.ours{stroke:#58a6ff;fill:#58a6ff}' +
  '.plain{stroke:#f0883e;fill:#f0883e}.curve{fill:none}.name{stroke:none}}'

/** The figures in words, for those who do not see the picture. */
function described(curves: readonly Curve[]): string {
  return curves
    .map(({ name, points }) => {
      const figures = points.map(({ ttl, loads }) => `${label(loads)} with a ttl of ${duration(ttl)}`)
      return `${name}: ${figures.join(', ')}.`
    })
    .join(' ')
}

function curvesOf(cells: readonly Cell[], seconds: number): Curve[] {
  const curves = new Map<string, { kind: Cell['with']; points: { ttl: number; loads: number }[] }>()
  for (const cell of cells) {
    const name =
      cell.with === 'herdlock'
        ? nameOfHerdlock(cell.staleWhileRevalidate)
        : `plain cache, ${cell.processes === 1 ? '1 process' : `${cell.processes} processes`}`
    const curve = curves.get(name) ?? { kind: cell.with, points: [] }
    curve.points.push({ ttl: cell.ttl, loads: cell.loads / seconds })
    curves.set(name, curve)
  }
  return [...curves].map(([name, { kind, points }]) => ({
    ...{ name, kind },
    points: points.toSorted((one, other) => one.ttl - other.ttl),
  }))
}

function nameOfHerdlock(stale: number): string {
  return stale === 0 ? 'herdlock, nothing stale' : `herdlock, stale for ${duration(stale)}`
}

type Scale = (value: number) => number

function scale(from: number, to: number, start: number, end: number): Scale {
  if (from === to) return () => (start + end) / 2
  return (value) => start + ((Math.log(value) - Math.log(from)) / (Math.log(to) - Math.log(from))) * (end - start)
}

function drawn(
  { name, kind, points }: Curve,
  index: number,
  { x, y, low }: { x: Scale; y: Scale; low: number },
): string {
  const kindClass = kind === 'herdlock' ? 'ours' : 'plain'
  const dash = DASHES[index % DASHES.length]
  const path = points.map(({ ttl, loads }) => `${round(x(ttl))},${round(y(Math.max(loads, low)))}`).join(' ')
  const legend = TOP + 12 + index * 24
  const attributes = `class="curve ${kindClass}"${dash === '' ? '' : ` stroke-dasharray="${dash}"`}`
  return [
    `<polyline ${attributes} points="${path}"/>`,
    `<line ${attributes} x1="${WIDTH - RIGHT + 20}" x2="${WIDTH - RIGHT + 50}" y1="${legend}" y2="${legend}"/>`,
    `<text class="text" x="${WIDTH - RIGHT + 58}" y="${legend + 4}">${name}</text>`,
  ].join('\n')
}

/** 1, 2 and 5 times the powers of ten in between; fewer if there would be many. */
function stepsBetween(low: number, high: number): number[] {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))]
  const factors = last - first > 3 ? [1] : [1, 2, 5]
  const powers = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index))
  return powers
    .flatMap((power) => factors.map((factor) => factor * power))
    .filter((step) => low <= step && step <= high)
}

function horizontal(y: number, name: string): string {
  return `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y)}" y2="${round(y)}"/>\n${text(LEFT - 8, y + 4, name, 'end')}`
}

function text(x: number, y: number, content: string, anchor: 'middle' | 'end'): string {
  return `<text class="text" x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${content}</text>`
}

function label(value: number): string {
  return String(Number(value.toPrecision(3)))
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
