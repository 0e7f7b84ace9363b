import { sequence } from './drawing/sequence.ts'
import type { Picture } from './drawing/paper.ts'

export const sharedStream: Picture = sequence({
  name: 'shared-stream',
  title: 'One stream, read in two processes',
  description:
    'Process A claims the stream, gets the lease, and runs the producer, a model. What the model says is gathered and appended to ' +
    'a log in Redis. Process B claims later, is told that A is at it, reads what has come so far, and gets the rest by ' +
    'messages. At the end the whole is stored as an entry.',
  actors: [
    { id: 'model', label: 'model', x: 110 },
    { id: 'a', label: 'process A', x: 330 },
    { id: 'redis', label: 'Redis', x: 560 },
    { id: 'b', label: 'process B', x: 780 },
  ],
  steps: [
    { from: 'a', to: 'redis', say: 'claim' },
    { from: 'redis', to: 'a', say: 'the lease is yours', below: 26 },
    { begin: 'a', as: 'good' },
    { from: 'a', to: 'model', say: 'producer', kind: 'good' },
    { begin: 'model', as: 'good' },
    { from: 'model', to: 'a', say: 'Once, upon', kind: 'good' },
    { from: 'a', to: 'redis', say: 'append 0, 1', kind: 'good', below: 26 },
    { begin: 'redis', as: 'good' },
    { beside: 'redis', lines: ['the log'], below: 18 },
    { from: 'b', to: 'redis', say: 'claim' },
    { from: 'redis', to: 'b', say: 'busy: A is at it', below: 26 },
    { from: 'b', to: 'redis', say: 'read from 0' },
    { from: 'redis', to: 'b', say: 'Once, upon', below: 26 },
    { begin: 'b', as: 'wait' },
    { from: 'model', to: 'a', say: 'a, time', kind: 'good' },
    { from: 'a', to: 'redis', say: 'append 2, 3', kind: 'good', below: 26 },
    { from: 'redis', to: 'b', say: 'message: 2, 3', below: 22 },
    { end: 'model' },
    { from: 'a', to: 'redis', say: 'end, store', kind: 'good', below: 30 },
    { from: 'redis', to: 'b', say: 'message: end', below: 22 },
    { end: 'a' },
    { end: 'redis' },
    { end: 'b' },
  ],
  gist: 'One producer runs. Who comes late gets at once what has come, and then the rest, in every process.',
})
