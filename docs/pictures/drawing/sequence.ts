import { arrow, box, draw, type LineKind, type Picture, text } from './paper.ts'

/** Who sends to whom, from top to bottom. Each step stands one row below the one before it, unless it is `beside` it. */
export interface Sequence {
  readonly name: string
  readonly title: string
  readonly description: string
  /** From left to right. */
  readonly actors: readonly Actor[]
  readonly steps: readonly Step[]
  /** What is to be learnt of it, below. */
  readonly gist: string
}

export interface Actor {
  readonly id: string
  readonly label: string
  /** Where its line stands, in px from the left. */
  readonly x: number
}

interface Placed {
  /** px below the step before it; the default is a row, 0 is the same row. */
  readonly below?: number
}

type Step = Message | Callers | Note | Begin | End | Death | Moment

interface Message extends Placed {
  readonly from: string
  readonly to: string
  readonly say: string
  readonly kind?: LineKind
  readonly dashed?: boolean
}

/** Dots that stand for many callers; green when they have their answer. */
interface Callers extends Placed {
  readonly callersOf: string
  readonly say: string
  readonly answered?: boolean
}

/** Words on the right of an actor's line. */
interface Note extends Placed {
  readonly beside: string
  readonly lines: readonly string[]
  readonly bold?: boolean
}

/** From here on an actor is at work, or waits, until `end`. */
interface Begin extends Placed {
  readonly begin: string
  readonly as: 'good' | 'wait' | 'bad'
}

interface End extends Placed {
  readonly end: string
}

/** An actor's line ends here. */
interface Death extends Placed {
  readonly death: string
  readonly say: string
}

/** A moment that concerns all. */
interface Moment extends Placed {
  readonly moment: string
}

const WIDTH = 880
const ROW = 30
const HEAD = { width: 140, height: 32, top: 20 }
const FIRST_ROW = 84
const DOTS = [-20, -7, 6, 19]
const BAR = 12

export function sequence({ name, title, description, actors, steps, gist }: Sequence): Picture {
  const marks: string[] = []
  const bars: string[] = []
  const open = new Map<string, { as: Begin['as']; since: number }>()
  const ended = new Map<string, number>()
  const at = (id: string): number => {
    const actor = actors.find((each) => each.id === id)
    if (actor === undefined) throw new Error(`${name}: no actor ${id}`)
    return actor.x
  }
  const close = (id: string, y: number): void => {
    const bar = open.get(id)
    if (bar === undefined) throw new Error(`${name}: nothing of ${id} has begun`)
    bars.push(box(`${bar.as}-box`, at(id) - BAR / 2, bar.since, BAR, y - bar.since, 3))
    open.delete(id)
  }

  let y = FIRST_ROW - ROW
  for (const step of steps) {
    y += step.below ?? ('begin' in step || 'end' in step ? 0 : ROW)
    if ('say' in step && 'from' in step) marks.push(...message(at(step.from), at(step.to), y, step))
    else if ('callersOf' in step) marks.push(...callers(at(step.callersOf), y, step))
    else if ('lines' in step) marks.push(...note(at(step.beside), y, step))
    else if ('begin' in step) open.set(step.begin, { as: step.as, since: y })
    else if ('end' in step) close(step.end, y)
    else if ('moment' in step) marks.push(...moment(y, step.moment))
    else {
      if (open.has(step.death)) close(step.death, y)
      ended.set(step.death, y)
      marks.push(...death(at(step.death), y, step.say))
    }
  }
  for (const id of open.keys()) throw new Error(`${name}: what ${id} has begun does not end`)

  const bottom = y + 28
  const heads = actors.flatMap(({ label, x }) => [
    box('head', x - HEAD.width / 2, HEAD.top, HEAD.width, HEAD.height),
    text(x, HEAD.top + 21, label, { anchor: 'middle', bold: true }),
  ])
  const lives = actors.map(
    ({ id, x }) =>
      `<path class="life" d="M${x} ${HEAD.top + HEAD.height}V${ended.get(id) ?? bottom}" stroke-dasharray="3 5" />`,
  )
  const closing = text(WIDTH / 2, bottom + 28, gist, { class: 'note', anchor: 'middle' })
  return draw({
    ...{ name, title, description, width: WIDTH, height: bottom + 50 },
    body: [...heads, ...lives, ...bars, ...marks, closing],
  })
}

function message(from: number, to: number, y: number, { say, kind = 'line', dashed = false }: Message): string[] {
  const gap = from < to ? 4 + BAR / 2 - 2 : -(4 + BAR / 2 - 2)
  return [
    arrow(kind, `M${from + gap} ${y}H${to - gap}`, { dashed }),
    text((from + to) / 2, y - 6, say, { anchor: 'middle', ...(dashed ? { class: 'note' } : {}) }),
  ]
}

function callers(x: number, y: number, { say, answered = false }: Callers): string[] {
  const dots = DOTS.map((dx) => `<circle class="${answered ? 'good-box' : 'head'}" cx="${x + dx}" cy="${y}" r="4" />`)
  return [dots.join(''), text(x + 32, y + 4, say, { class: 'note' })]
}

function note(x: number, y: number, { lines, bold = false }: Note): string[] {
  return lines.map((line, index) =>
    text(x + 14, y + 4 + index * 18, line, bold && index === 0 ? { bold } : { class: 'note' }),
  )
}

function death(x: number, y: number, say: string): string[] {
  return [
    `<path class="bad" d="M${x - 7} ${y - 7}l14 14m0 -14l-14 14" fill="none" stroke-width="2.5" />`,
    text(x + 14, y + 4, say, { bold: true }),
  ]
}

function moment(y: number, say: string): string[] {
  return [
    `<path class="rule" d="M20 ${y}H${WIDTH - 20}" fill="none" />`,
    `<rect class="ground" x="22" y="${y - 17}" width="${Math.ceil(say.length * 6.6)}" height="15" />`,
    text(24, y - 6, say, { class: 'note', size: 12 }),
  ]
}
