/** @import { Sample } from '../report.ts' */
/** @import { Span, Zoom } from './zoom.js' */
import { count, percent, rate, time } from './format.js'
import { answersOf, ratioOf } from './model.js'

const SVG = 'http://www.w3.org/2000/svg'
/** Room for the words below and beside a chart, in px. */
export const BELOW = 18
export const BESIDE = 43
/** Spans of time that a chart may show, in ms: the shortest that shows all there is. */
const SPANS = [60_000, 120_000, 300_000, 900_000, 1_800_000, 3_600_000]
export const MINUTE = 60_000
const HOUR = 3_600_000
/** The least way in px that the pointer is drawn to choose a span. */
const DRAWN = 8

/** @type {readonly { name: 'hits' | 'staleHits' | 'coalesced' | 'misses', label: string }[]} */
export const OUTCOMES = [
  { name: 'hits', label: 'fresh' },
  { name: 'staleHits', label: 'stale' },
  { name: 'coalesced', label: 'joined a load' },
  { name: 'misses', label: 'missed' },
]

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {(Node | string)[]} children
 */
export function svg(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name)
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, String(value))
  made.append(...children)
  return made
}

/** A drawing in a box: made anew whenever there is news, the box changes, or the pointer moves. */
export class Chart {
  /** @type {HTMLElement} */
  #box
  #svg = svg('svg', { role: 'img' })
  /** @type {number | undefined} */
  #pointer

  /** @param {HTMLElement} box */
  constructor(box) {
    this.#box = box
    box.append(this.#svg)
    new ResizeObserver(() => this.redraw()).observe(box)
    box.addEventListener('pointermove', (event) => this.#point(event.offsetX))
    box.addEventListener('pointerleave', () => this.#point(undefined))
  }

  /** @param {number | undefined} x */
  #point(x) {
    this.#pointer = x
    this.redraw()
  }

  get width() {
    return this.#box.clientWidth
  }

  /** Draws what was given last. */
  redraw() {
    const { clientWidth: width, clientHeight: height } = this.#box
    if (width === 0) return
    this.#svg.setAttribute('viewBox', `0 0 ${width} ${height}`)
    const { label, parts } = this.draw({ width, height, pointer: this.#pointer })
    this.#svg.setAttribute('aria-label', label)
    this.#svg.replaceChildren(...parts)
  }

  /**
   * @param {{ width: number, height: number, pointer: number | undefined }} _box
   * @returns {{ label: string, parts: Node[] }}
   */
  draw(_box) {
    return { label: '', parts: [] }
  }
}

/** The samples in the shown span of time, and where they lie. */
class Axis {
  /** @param {readonly Sample[]} samples @param {number} at @param {number} width @param {Zoom} zoom */
  constructor(samples, at, width, zoom) {
    const first = samples[0]
    const age = first === undefined ? 0 : at - first.at + first.span
    const { from, to } = zoom.shown({ from: at - (SPANS.find((span) => age <= span) ?? HOUR), to: at })
    this.from = from
    this.to = to
    this.isChosen = zoom.isChosen
    this.width = width
    this.samples = samples.filter((sample) => sample.at > from && sample.at - sample.span < to)
  }

  get span() {
    return this.to - this.from
  }

  /** In words, for those who do not see it. */
  get name() {
    return this.isChosen ? `from ${time(this.from)} to ${time(this.to)}` : `over the last ${this.span / MINUTE} minutes`
  }

  /** @param {number} at */
  x(at) {
    return BESIDE + ((at - this.from) / this.span) * (this.width - BESIDE)
  }

  /** The sample that the pointer is over. @param {number | undefined} pointer */
  under(pointer) {
    if (pointer === undefined) return undefined
    return this.samples.find((sample) => pointer <= this.x(sample.at) && pointer > this.x(sample.at - sample.span))
  }

  /** @param {number} height */
  words(height) {
    return this.isChosen ? clockWords(this, this.width, height) : timeWords(this.span, this.width, height)
  }
}

/** @param {number} span @param {number} width @param {number} height */
export function timeWords(span, width, height) {
  const y = height - 4
  const half = span === MINUTE ? '30 s ago' : `${span / 2 / MINUTE} min ago`
  return [
    svg('text', { x: BESIDE, y }, `${span / MINUTE} min ago`),
    svg('text', { x: BESIDE + (width - BESIDE) / 2, y, 'text-anchor': 'middle' }, half),
    svg('text', { x: width, y, 'text-anchor': 'end' }, 'now'),
  ]
}

/** @param {Span} span @param {number} width @param {number} height */
function clockWords({ from, to }, width, height) {
  const y = height - 4
  return [
    svg('text', { x: BESIDE, y }, time(from)),
    svg('text', { x: BESIDE + (width - BESIDE) / 2, y, 'text-anchor': 'middle' }, time((from + to) / 2)),
    svg('text', { x: width, y, 'text-anchor': 'end' }, time(to)),
  ]
}

/** A horizontal line with its number. @param {number} y @param {number} width @param {string} word */
function rule(y, width, word) {
  return [
    svg('line', { class: 'rule', x1: BESIDE, x2: width, y1: y, y2: y }),
    svg('text', { x: BESIDE - 6, y: y + 4, 'text-anchor': 'end' }, word),
  ]
}

/** @param {number} x @param {number} bottom */
function guide(x, bottom) {
  return svg('line', { class: 'guide', x1: x, x2: x, y1: 0, y2: bottom })
}

/** The least round number that is no less. @param {number} number */
function roundUp(number) {
  const power = 10 ** Math.floor(Math.log10(Math.max(number, 1)))
  return /** @type {number} */ ([1, 2, 4, 5, 8, 10].find((factor) => factor * power >= number)) * power
}

/** @param {Sample} sample @param {number} calls */
function perSecond(sample, calls) {
  return (calls * 1000) / Math.max(sample.span, 1)
}

/** A chart of samples over time. */
class SamplesChart extends Chart {
  /** @type {{ samples: readonly Sample[], at: number }} */
  shown = { samples: [], at: 0 }

  /** Where the pointer went down. @type {number | undefined} */
  #begin

  /** @param {HTMLElement} box @param {Zoom} zoom @param {(sample: Sample | undefined) => void} onRead told which sample is to be read */
  constructor(box, zoom, onRead) {
    super(box)
    this.zoom = zoom
    this.onRead = onRead
    box.addEventListener('pointerdown', ({ offsetX }) => (this.#begin = offsetX))
    box.addEventListener('pointerup', ({ offsetX }) => this.#chooseTo(offsetX))
    box.addEventListener('pointerleave', () => (this.#begin = undefined))
    box.addEventListener('dblclick', () => zoom.choose(undefined))
    box.addEventListener('keydown', (event) => zoom.press(event))
  }

  /** @param {number} width */
  axis(width) {
    return new Axis(this.shown.samples, this.shown.at, width, this.zoom)
  }

  /** @param {number} end */
  #chooseTo(end) {
    const begin = this.#begin
    this.#begin = undefined
    if (begin === undefined || Math.abs(end - begin) < DRAWN) return this.redraw()
    const { from, span, width } = this.axis(this.width)
    const [left, right] = [begin, end].map((x) => from + (Math.max(x - BESIDE, 0) / (width - BESIDE)) * span)
    this.zoom.choose({ from: Math.min(left ?? 0, right ?? 0), to: Math.max(left ?? 0, right ?? 0) })
  }

  /** The span that is being chosen. @param {number | undefined} pointer @param {number} bottom */
  choosing(pointer, bottom) {
    if (this.#begin === undefined || pointer === undefined) return []
    const x = Math.min(this.#begin, pointer)
    return [svg('rect', { class: 'chosen', x, y: 0, width: Math.abs(pointer - this.#begin), height: bottom })]
  }

  /** @param {readonly Sample[]} samples @param {number} at */
  show(samples, at) {
    this.shown = { samples, at }
    this.redraw()
  }
}

/** How calls were answered, a bar a sample. */
export class AnswersChart extends SamplesChart {
  /** @override @type {Chart['draw']} */
  draw({ width, height, pointer }) {
    const axis = this.axis(width)
    const bottom = height - BELOW
    const rates = axis.samples.map((sample) => perSecond(sample, answersOf(sample)))
    const top = roundUp(Math.max(...rates, 1))
    const paths = OUTCOMES.map(() => '')
    for (const sample of axis.samples) {
      const left = Math.max(axis.x(sample.at - sample.span), BESIDE)
      const wide = Math.min(axis.x(sample.at), width) - left
      const bar = Math.max(wide - (wide > 4 ? 1 : 0), 0.5)
      let y = bottom
      for (const [i, { name }] of OUTCOMES.entries()) {
        const high = (perSecond(sample, sample[name]) / top) * (bottom - 8)
        if (high === 0) continue
        y -= high
        paths[i] += `M${left.toFixed(1)} ${y.toFixed(1)}h${bar.toFixed(1)}v${high.toFixed(1)}h${(-bar).toFixed(1)}z`
      }
    }
    const read = axis.under(pointer)
    this.onRead(read ?? axis.samples.at(-1))
    const last = rates.at(-1) ?? 0
    return {
      label: `Answers a second ${axis.name}: ${rate(last)} now, ${count(Math.max(...rates, 0))} at most`,
      parts: [
        ...rule(8, width, count(top)),
        ...rule(8 + (bottom - 8) / 2, width, top < 2 ? '' : count(top / 2)),
        ...rule(bottom, width, '0'),
        ...OUTCOMES.map(({ name }, i) => svg('path', { class: name, d: /** @type {string} */ (paths[i]) })),
        ...(read === undefined ? [] : [guide(axis.x(read.at - read.span / 2), bottom)]),
        ...this.choosing(pointer, bottom),
        ...axis.words(height),
      ],
    }
  }
}

/** The share of calls that had not to wait, a point a sample. */
export class RatioChart extends SamplesChart {
  /** @override @type {Chart['draw']} */
  draw({ width, height, pointer }) {
    const axis = this.axis(width)
    const bottom = height - BELOW
    /** @param {number} ratio */
    const y = (ratio) => bottom - ratio * (bottom - 8)
    let curve = ''
    let area = ''
    /** @type {[number, number][]} */
    let run = []
    const endRun = () => {
      const [first] = run
      const last = run.at(-1)
      if (first !== undefined && last !== undefined) {
        const line = run.map(([x, at]) => `${x.toFixed(1)} ${at.toFixed(1)}`).join('L')
        curve += `M${line}${run.length === 1 ? 'h1.5' : ''}`
        area += `M${first[0].toFixed(1)} ${bottom}L${line}L${last[0].toFixed(1)} ${bottom}z`
      }
      run = []
    }
    for (const sample of axis.samples) {
      if (answersOf(sample) === 0) endRun()
      else run.push([axis.x(sample.at - sample.span / 2), y(ratioOf(sample))])
    }
    endRun()
    const read = axis.under(pointer)
    const shown = read ?? axis.samples.findLast((sample) => answersOf(sample) > 0)
    this.onRead(shown)
    return {
      label: `Hit ratio ${axis.name}: ${shown === undefined ? 'no calls' : percent(ratioOf(shown))}`,
      parts: [
        ...rule(y(1), width, '100 %'),
        ...rule(y(0.5), width, '50 %'),
        ...rule(bottom, width, '0 %'),
        svg('path', { class: 'area', d: area }),
        svg('path', { class: 'curve', d: curve }),
        ...(read === undefined ? [] : [guide(axis.x(read.at - read.span / 2), bottom)]),
        ...this.choosing(pointer, bottom),
        ...axis.words(height),
      ],
    }
  }
}
