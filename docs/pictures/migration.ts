import { boxes } from './drawing/boxes.ts'
import type { Picture } from './drawing/paper.ts'

const STAGES = [
  { at: 40, label: 'all processes', clients: '[old]' },
  { at: 250, label: 'one after the other', clients: '[old, next]' },
  { at: 460, label: 'all have changed', clients: '[old, next]' },
  { at: 670, label: 'one after the other', clients: '[next]' },
]

export const migration: Picture = boxes({
  name: 'migration',
  title: 'Moving from one Redis to another',
  description:
    'Four stages, in which processes are deployed one after the other. First all use the old Redis. Then some use old and ' +
    'next, in this order: they take the old one first, so they and those that know it alone exclude each other. When all ' +
    'use both, some change to next alone: those too exclude those that use both, because all take next. At last nobody ' +
    'uses old.',
  width: 880,
  height: 262,
  boxes: STAGES.flatMap(({ at, label, clients }, index) => [
    { id: `p${index}`, x: at, y: 24, width: 170, height: 54, label: `clients: ${clients}`, lines: [label] },
    {
      ...{ id: `old${index}`, x: at, y: 160, width: 76, height: 42, label: 'old' },
      kind: index === 3 ? ('head' as const) : ('good-box' as const),
    },
    {
      ...{ id: `next${index}`, x: at + 94, y: 160, width: 76, height: 42, label: 'next' },
      kind: index === 0 ? ('head' as const) : ('good-box' as const),
    },
  ]),
  arrows: STAGES.flatMap((_, index) => [
    ...(index < 3 ? [{ from: `p${index}.bottom+-47`, to: `old${index}.top`, say: index === 0 ? 'lock' : '1st' }] : []),
    ...(index > 0 ? [{ from: `p${index}.bottom+47`, to: `next${index}.top`, say: index === 3 ? 'lock' : '2nd' }] : []),
  ]),
  gist: 'Neighbours always have one Redis in common, so at no moment do two processes hold one lock.',
})
