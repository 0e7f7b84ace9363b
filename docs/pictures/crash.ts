import { sequence } from './drawing/sequence.ts'
import type { Picture } from './drawing/paper.ts'

export const crash: Picture = sequence({
  name: 'crash',
  title: 'The leader dies',
  description:
    'Process A has the lease and runs the loader; process B waits for a message. A is killed. Nobody extends its lease ' +
    'any more, so it ends after at most lockTtl. The timer of B is set to that moment. B claims again, gets the lease, and ' +
    'runs the loader itself. Its callers are answered. Of several waiting processes, one does so.',
  actors: [
    { id: 'b', label: 'process B', x: 330 },
    { id: 'redis', label: 'Redis', x: 560 },
    { id: 'a', label: 'process A', x: 780 },
    { id: 'origin', label: 'origin', x: 110 },
  ],
  steps: [
    { from: 'a', to: 'redis', say: 'claim' },
    { from: 'redis', to: 'a', say: 'the lease is yours', below: 26 },
    { begin: 'a', as: 'good' },
    { begin: 'redis', as: 'wait' },
    { beside: 'redis', lines: ['the lease'], below: 18 },
    { from: 'b', to: 'redis', say: 'claim', below: 0 },
    { from: 'redis', to: 'b', say: 'busy for 2900 ms', below: 26 },
    { begin: 'b', as: 'wait' },
    { from: 'a', to: 'redis', say: 'extend', dashed: true },
    { death: 'a', say: 'killed' },
    { beside: 'redis', lines: ['nobody extends it'], below: 20 },
    { beside: 'b', lines: ['its timer is set to', 'the end of the lease'], below: 0 },
    { moment: 'the lease ends, at most lockTtl after its last extension', below: 60 },
    { end: 'redis' },
    { from: 'b', to: 'redis', say: 'claim' },
    { from: 'redis', to: 'b', say: 'nothing; the lease is yours', below: 26 },
    { begin: 'redis', as: 'wait' },
    { from: 'b', to: 'origin', say: 'loader', kind: 'good', below: 20 },
    { begin: 'origin', as: 'good' },
    { from: 'origin', to: 'b', say: 'value', kind: 'good', below: 44 },
    { end: 'origin' },
    { end: 'b' },
    { callersOf: 'b', say: 'all answered', answered: true, below: 22 },
    { from: 'b', to: 'redis', say: 'store, if still mine', kind: 'good' },
    { end: 'redis' },
  ],
  gist: 'A dead leader costs the waiting processes the rest of its lease. Then one of them takes over.',
})
