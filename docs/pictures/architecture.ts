import { boxes } from './drawing/boxes.ts'
import type { Picture } from './drawing/paper.ts'

export const architecture: Picture = boxes({
  name: 'architecture',
  title: 'What runs where',
  description:
    'Two processes of an application, each with herdlock inside: the middleware singleFlight and the helper getOrRefill ' +
    'use a cache, which has memory, flights, and an inbox. Both processes share one Redis with entries, leases and lists ' +
    'of waiters. Commands go through the client of the application. Messages arrive on the inbox, a connection that ' +
    'herdlock opens. Loaders and handlers ask the origin.',
  width: 880,
  height: 446,
  boxes: [
    { id: 'one', x: 30, y: 24, width: 300, height: 236, label: 'process A', isFrame: true, kind: 'panel' },
    { id: 'two', x: 550, y: 24, width: 300, height: 236, label: 'process B', isFrame: true, kind: 'panel' },
    { id: 'use1', x: 46, y: 64, width: 268, height: 44, label: 'singleFlight, getOrRefill, Locker' },
    { id: 'use2', x: 566, y: 64, width: 268, height: 44, label: 'singleFlight, getOrRefill, Locker' },
    {
      id: 'mem1',
      x: 46,
      y: 132,
      width: 128,
      height: 50,
      label: 'memory',
      lines: ['fresh: no command'],
      kind: 'good-box',
    },
    {
      id: 'fly1',
      x: 186,
      y: 132,
      width: 128,
      height: 50,
      label: 'flights',
      lines: ['one load per key'],
      kind: 'good-box',
    },
    {
      id: 'mem2',
      x: 566,
      y: 132,
      width: 128,
      height: 50,
      label: 'memory',
      lines: ['fresh: no command'],
      kind: 'good-box',
    },
    {
      id: 'fly2',
      x: 706,
      y: 132,
      width: 128,
      height: 50,
      label: 'flights',
      lines: ['one load per key'],
      kind: 'good-box',
    },
    { id: 'client1', x: 46, y: 202, width: 128, height: 42, label: 'your client' },
    { id: 'inbox1', x: 186, y: 202, width: 128, height: 42, label: 'inbox' },
    { id: 'inbox2', x: 566, y: 202, width: 128, height: 42, label: 'inbox' },
    { id: 'client2', x: 706, y: 202, width: 128, height: 42, label: 'your client' },
    {
      id: 'redis',
      x: 110,
      y: 318,
      width: 660,
      height: 76,
      label: 'Redis',
      lines: ['entries, each with the times at which it ends', 'leases of refills, locks, and their waiters'],
    },
    { id: 'origin', x: 365, y: 64, width: 150, height: 60, label: 'origin', lines: ['database, API, handler'] },
  ],
  arrows: [
    { from: 'use1.right', to: 'origin.left+-8', say: 'load' },
    { from: 'use2.left', to: 'origin.right+-8', say: 'load' },
    { from: 'client1.bottom+40', to: 'redis.top+-290', say: 'claim, store' },
    { from: 'redis.top+-190', to: 'inbox1.bottom', say: 'messages', dashed: true },
    { from: 'redis.top+190', to: 'inbox2.bottom', say: 'messages', dashed: true },
    { from: 'client2.bottom+-40', to: 'redis.top+290', say: 'claim, store' },
  ],
  gist: 'Two connections for each process: your client, and one for messages.',
})
