import { box, draw, type Picture, text } from './paper.ts'

/** Panels of horizontal bars, one below the other. */
export interface BarChart {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly panels: readonly Panel[]
  /** How it was measured. */
  readonly footnote: string
}

export interface Panel {
  /** The question, and which way is better. */
  readonly heading: string
  readonly bars: readonly Bar[]
  /** Where figures differ by powers of ten. */
  readonly isLogarithmic?: boolean
}

interface Bar {
  readonly label: string
  readonly value: number
  readonly kind: 'ours' | 'least' | 'plain'
}

const WIDTH = 880
const LEFT = 330
const LONGEST = WIDTH - LEFT - 110
const ROW = 24
const THICK = 14

export function barChart({ name, title, description, panels, footnote }: BarChart): Picture {
  const body: string[] = []
  let y = 34
  for (const panel of panels) {
    body.push(text(24, y, panel.heading, { bold: true }))
    y += 12
    for (const { label, value, kind } of panel.bars) {
      const middle = y + ROW / 2
      const length = lengthOf(value, panel)
      body.push(
        text(LEFT - 10, middle + 4.5, label, {
          anchor: 'end',
          ...(kind === 'ours' ? { bold: true } : { class: 'note' }),
        }),
        box(kind, LEFT, middle - THICK / 2, length, THICK, 2),
        text(LEFT + length + 8, middle + 4.5, shown(value), kind === 'ours' ? { bold: true } : {}),
      )
      y += ROW
    }
    y += 30
  }
  body.push(text(24, y, footnote, { class: 'note', size: 12 }))
  return draw({ name, title, description, width: WIDTH, height: y + 18, body })
}

/** On a logarithmic scale the least bar has a tenth of the room, so that it is seen. */
function lengthOf(value: number, { bars, isLogarithmic = false }: Panel): number {
  const values = bars.map((bar) => bar.value).filter((each) => each > 0)
  const most = Math.max(...values)
  if (value <= 0) return 1
  if (!isLogarithmic) return Math.max(Math.round((value / most) * LONGEST), 1)
  const least = Math.min(...values)
  const share = most === least ? 1 : Math.log(value / least) / Math.log(most / least)
  return Math.round((0.1 + 0.9 * share) * LONGEST)
}

function shown(value: number): string {
  const rounded = Number(value.toPrecision(3))
  return rounded >= 10_000 ? String(rounded).replace(/\B(?=(\d{3})+$)/g, ' ') : String(rounded)
}
