import { refillActors } from './actors.ts'
import { sequence } from './drawing/sequence.ts'
import type { Picture } from './drawing/paper.ts'

export const invalidation: Picture = sequence({
  name: 'invalidation',
  title: 'Invalidation during a refill',
  description:
    'Process A has the lease and its loader has read the old row. Process B changes the row and invalidates the key: ' +
    'in one step the entry and the lease of A are deleted and every process is told. When A wants to store the old ' +
    'value, Redis refuses, because the lease is gone. Callers that had joined the load before get what it read; ' +
    'whoever comes after begins a load of its own and gets the new value.',
  actors: refillActors,
  steps: [
    { from: 'a', to: 'redis', say: 'claim' },
    { from: 'redis', to: 'a', say: 'nothing; the lease is yours', below: 26 },
    { begin: 'redis', as: 'wait' },
    { begin: 'a', as: 'wait' },
    { from: 'a', to: 'origin', say: 'loader', below: 20 },
    { begin: 'origin', as: 'wait' },
    { beside: 'origin', lines: ['reads', 'the old row'], below: 28 },
    { beside: 'b', lines: ['changes the row'], below: 14 },
    { from: 'b', to: 'redis', say: 'invalidate', kind: 'good' },
    { end: 'redis' },
    { beside: 'redis', lines: ['entry and lease', 'are deleted, in one step'], below: 20 },
    { from: 'origin', to: 'a', say: 'old value', kind: 'bad', below: 34 },
    { end: 'origin' },
    { end: 'a' },
    { from: 'a', to: 'redis', say: 'store, if still mine', kind: 'bad', below: 28 },
    { from: 'redis', to: 'a', say: 'no: it is not yours', below: 28 },
    { beside: 'a', lines: ['earlier callers get the', 'old value; it is not kept'], below: 26 },
    { moment: 'later callers', below: 48 },
    { from: 'a', to: 'redis', say: 'claim', below: 30 },
    { from: 'redis', to: 'a', say: 'nothing; the lease is yours', below: 26 },
    { from: 'a', to: 'origin', say: 'loader', kind: 'good', below: 20 },
    { begin: 'origin', as: 'good' },
    { from: 'origin', to: 'a', say: 'new value', kind: 'good', below: 34 },
    { end: 'origin' },
    { from: 'a', to: 'redis', say: 'store, if still mine', kind: 'good', below: 24 },
  ],
  gist: 'A load that began before an invalidation cannot bring the old value back.',
})
