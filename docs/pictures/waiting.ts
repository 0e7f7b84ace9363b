import { boxes } from './drawing/boxes.ts'
import type { Picture } from './drawing/paper.ts'

export const waiting: Picture = boxes({
  name: 'waiting',
  title: 'Who waits for whom',
  description:
    'All callers of a process wait for its one flight, each until its own signal aborts. The flight in process A has the ' +
    'lease and waits for the loader, for loadTimeout, 30 s. The flight in process B waits for the message of process A, for ' +
    'waitTimeout, 30 s; if A dies, for lockTtl, 3 s. With maxLoads the loader waits for a slot before it starts, for ' +
    'waitTimeout. B gets the value in the message that A sends when it stores.',
  width: 880,
  height: 300,
  boxes: [
    { id: 'callersA', x: 24, y: 40, width: 180, height: 60, label: 'callers in A', lines: ['each until its signal'] },
    { id: 'flightA', x: 284, y: 40, width: 200, height: 60, label: 'flight in A', lines: ['has the lease'] },
    { id: 'loader', x: 630, y: 40, width: 200, height: 60, label: 'loader', lines: ['one run'], kind: 'good-box' },
    { id: 'callersB', x: 24, y: 180, width: 180, height: 60, label: 'callers in B', lines: ['each until its signal'] },
    {
      id: 'flightB',
      x: 284,
      y: 180,
      width: 200,
      height: 60,
      label: 'flight in B',
      lines: ['listed in Redis as waiting'],
      kind: 'wait-box',
    },
    {
      id: 'slot',
      x: 630,
      y: 180,
      width: 200,
      height: 60,
      label: 'a slot of maxLoads',
      lines: ['if the cache has a limit'],
      kind: 'wait-box',
    },
  ],
  arrows: [
    { from: 'callersA.right', to: 'flightA.left' },
    { from: 'callersB.right', to: 'flightB.left' },
    { from: 'flightA.right', to: 'loader.left', say: 'loadTimeout, 30 s' },
    { from: 'flightB.top', to: 'flightA.bottom', say: 'waitTimeout, 30 s; lockTtl, 3 s, if A dies' },
    { from: 'loader.bottom', to: 'slot.top', say: 'waitTimeout, 30 s' },
  ],
  gist: 'An arrow reads “waits for”, with its limit. B gets the value in the message that A sends when it stores.',
})
