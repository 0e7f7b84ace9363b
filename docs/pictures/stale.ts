import { refillActors } from './actors.ts'
import { sequence } from './drawing/sequence.ts'
import type { Picture } from './drawing/paper.ts'

export const stale: Picture = sequence({
  name: 'stale',
  title: 'A stale value',
  description:
    'The ttl of an entry has ended and staleWhileRevalidate has not. Callers of both processes get the stale value at ' +
    'once. Each process claims in the background; the first gets the lease, runs the loader, and stores the new value. ' +
    'The other, which is told, keeps it in memory. From then on all callers get the fresh value.',
  actors: refillActors,
  steps: [
    { moment: 'ttl has ended' },
    { callersOf: 'a', say: 'stale, at once', answered: true, below: 22 },
    { callersOf: 'b', say: 'stale, at once', answered: true, below: 0 },
    { from: 'a', to: 'redis', say: 'claim', dashed: true },
    { from: 'b', to: 'redis', say: 'claim', dashed: true, below: 12 },
    { from: 'redis', to: 'a', say: 'stale; the lease is yours', below: 18 },
    { begin: 'a', as: 'wait' },
    { from: 'redis', to: 'b', say: 'stale; busy', below: 12 },
    { from: 'a', to: 'origin', say: 'loader', kind: 'good', below: 18 },
    { begin: 'origin', as: 'good' },
    { callersOf: 'a', say: 'stale, at once', answered: true, below: 26 },
    { callersOf: 'b', say: 'stale, at once', answered: true, below: 0 },
    { beside: 'origin', lines: ['one run', 'for all'], bold: true, below: 0 },
    { from: 'origin', to: 'a', say: 'value', kind: 'good', below: 50 },
    { end: 'origin' },
    { end: 'a' },
    { from: 'a', to: 'redis', say: 'store, if still mine', kind: 'good', below: 24 },
    { from: 'redis', to: 'b', say: 'message: the value', kind: 'good', below: 24 },
    { callersOf: 'a', say: 'fresh', answered: true, below: 28 },
    { callersOf: 'b', say: 'fresh', answered: true, below: 0 },
  ],
  gist: 'Nobody waits: the stale value is served within staleWhileRevalidate, and one process refills it.',
})
