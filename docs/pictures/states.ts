import { boxes } from './drawing/boxes.ts'
import type { Picture } from './drawing/paper.ts'

export const states: Picture = boxes({
  name: 'states',
  title: 'The states of an entry',
  description:
    'An entry that was stored is fresh. At the end of ttl, or by expire, it is stale: within staleWhileRevalidate it is ' +
    'served at once while one process loads; within staleIfError it is served if the load fails. After both it is expired. ' +
    'A load, or set, makes it fresh again from any state. invalidate makes it absent.',
  width: 880,
  height: 300,
  boxes: [
    {
      id: 'fresh',
      x: 24,
      y: 60,
      width: 190,
      height: 64,
      label: 'fresh',
      lines: ['served, Redis not asked'],
      kind: 'good-box',
    },
    {
      id: 'stale',
      x: 284,
      y: 60,
      width: 250,
      height: 64,
      label: 'stale',
      lines: ['served at once, one process loads'],
    },
    {
      id: 'error',
      x: 284,
      y: 190,
      width: 250,
      height: 64,
      label: 'stale, on error',
      lines: ['served only if the load fails'],
    },
    {
      id: 'expired',
      x: 640,
      y: 60,
      width: 216,
      height: 64,
      label: 'expired, or absent',
      lines: ['callers wait for one load'],
    },
  ],
  arrows: [
    { from: 'fresh.right', to: 'stale.left', say: 'ttl ends' },
    { from: 'stale.right', to: 'expired.left', say: 'its window ends' },
    { from: 'stale.bottom', to: 'error.top', say: 'its window ends' },
    { from: 'error.right', to: 'expired.bottom', say: 'staleIfError ends' },
  ],
  gist: 'A load, or set, makes it fresh again from every state. expire ends its ttl now; invalidate removes it.',
})
