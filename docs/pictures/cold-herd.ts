import { refillActors } from './actors.ts'
import { sequence } from './drawing/sequence.ts'
import type { Picture } from './drawing/paper.ts'

export const coldHerd: Picture = sequence({
  name: 'cold-herd',
  title: 'A cold herd',
  description:
    'Callers of two processes ask for one key that is not cached. Each process asks Redis once. The first gets the ' +
    'lease and runs the loader; the second is registered as waiting. When the loader has its value it is stored and ' +
    'sent to the waiting process in one step, and every caller of both processes is answered with it.',
  actors: refillActors,
  steps: [
    { callersOf: 'a', say: '500 callers, one flight' },
    { from: 'a', to: 'redis', say: 'claim' },
    { callersOf: 'b', say: '500 callers, one flight', below: 12 },
    { from: 'redis', to: 'a', say: 'nothing; the lease is yours', below: 18 },
    { begin: 'a', as: 'wait' },
    { from: 'b', to: 'redis', say: 'claim', below: 20 },
    { from: 'a', to: 'origin', say: 'loader', kind: 'good', below: 10 },
    { begin: 'origin', as: 'good' },
    { from: 'redis', to: 'b', say: 'busy; a message will come', below: 20 },
    { begin: 'b', as: 'wait' },
    { beside: 'origin', lines: ['one run', 'for all'], bold: true, below: 40 },
    { beside: 'b', lines: ['waits for the message;', 'checks again when the', 'lease runs out'], below: 4 },
    { from: 'a', to: 'redis', say: 'extend the lease', dashed: true, below: 10 },
    { from: 'origin', to: 'a', say: 'value', kind: 'good', below: 54 },
    { end: 'origin' },
    { end: 'a' },
    { callersOf: 'a', say: 'all answered', answered: true, below: 22 },
    { from: 'a', to: 'redis', say: 'store, if still mine', kind: 'good', below: 20 },
    { from: 'redis', to: 'b', say: 'message: the value', kind: 'good' },
    { end: 'b' },
    { callersOf: 'b', say: 'all answered', answered: true, below: 22 },
  ],
  gist: '1000 callers, two processes, one cold key: two claims, one load, one store.',
})
