import { arrow, box, draw, type Picture, text } from './paper.ts'

/** Boxes and the arrows among them. */
export interface Boxes {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly width: number
  readonly height: number
  readonly boxes: readonly Box[]
  readonly arrows: readonly Arrow[]
  readonly gist: string
}

interface Box {
  readonly id: string
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  readonly label: string
  readonly lines?: readonly string[]
  readonly kind?: 'head' | 'good-box' | 'wait-box' | 'panel'
  /** It contains others: its label stands at its top left. */
  readonly isFrame?: boolean
}

interface Arrow {
  /** Box and side, as in `cache.right`; a number after it shifts the end along that side, in px. */
  readonly from: string
  readonly to: string
  readonly say?: string
  readonly dashed?: boolean
  readonly isBoth?: boolean
}

export function boxes({ name, title, description, width, height, boxes: all, arrows, gist }: Boxes): Picture {
  const at = (end: string): { x: number; y: number } => {
    const [, id, side, shift = '0'] = /^(\w+)\.(\w+)(?:\+(.*))?$/.exec(end) ?? []
    const found = all.find((each) => each.id === id)
    if (found === undefined) throw new Error(`${name}: no box ${id}`)
    return sideOf(found, side as Side, Number(shift))
  }
  return draw({
    ...{ name, title, description, width, height },
    body: [
      ...all.flatMap(boxed),
      ...arrows.flatMap((each) => joined(at(each.from), at(each.to), each)),
      text(width / 2, height - 22, gist, { class: 'note', anchor: 'middle' }),
    ],
  })
}

type Side = 'left' | 'right' | 'top' | 'bottom'

function sideOf({ x, y, width, height }: Box, side: Side, shift: number): { x: number; y: number } {
  if (side === 'left') return { x, y: y + height / 2 + shift }
  if (side === 'right') return { x: x + width, y: y + height / 2 + shift }
  return { x: x + width / 2 + shift, y: side === 'top' ? y : y + height }
}

function boxed({ x, y, width, height, label, lines = [], kind = 'head', isFrame = false }: Box): string[] {
  const shape = box(kind, x, y, width, height)
  if (isFrame) return [shape, text(x + 14, y + 24, label, { bold: true })]
  const first = y + height / 2 + 4.5 - (lines.length * 18) / 2
  return [
    shape,
    text(x + width / 2, first, label, { anchor: 'middle', bold: true }),
    ...lines.map((line, index) =>
      text(x + width / 2, first + 18 * (index + 1), line, { class: 'note', anchor: 'middle', size: 12 }),
    ),
  ]
}

interface Point {
  readonly x: number
  readonly y: number
}

function joined(from: Point, to: Point, { say, dashed = false, isBoth = false }: Arrow): string[] {
  const drawn = [arrow('line', `M${from.x} ${from.y}L${to.x} ${to.y}`, { dashed })]
  if (isBoth) drawn.push(arrow('line', `M${to.x} ${to.y}L${from.x} ${from.y}`, { dashed }))
  if (say === undefined) return drawn
  const upright = from.x === to.x
  const x = (from.x + to.x) / 2 + (upright ? 8 : 0)
  const y = (from.y + to.y) / 2 + (upright ? 4 : -6)
  return [...drawn, text(x, y, say, { class: 'note', size: 12, ...(upright ? {} : { anchor: 'middle' }) })]
}
