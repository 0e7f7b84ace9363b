import { boxes } from './drawing/boxes.ts'
import type { Picture } from './drawing/paper.ts'

export const layers: Picture = boxes({
  name: 'layers',
  title: 'The layers of src/',
  description:
    'The middleware imports the cache; the cache imports the flight, the store and the lock; store and lock import redis. ' +
    'The leaves (errors, clock, random, abort and others) may be imported by all and import only leaves. Arrows point one way only.',
  width: 880,
  height: 408,
  boxes: [
    { id: 'middleware', x: 290, y: 24, width: 300, height: 54, label: 'middleware', lines: ['whole HTTP responses'] },
    {
      id: 'cache',
      x: 290,
      y: 112,
      width: 300,
      height: 54,
      label: 'cache',
      lines: ['getOrRefill: states, refills, waiting'],
    },
    {
      id: 'flight',
      x: 40,
      y: 200,
      width: 230,
      height: 54,
      label: 'flight',
      lines: ['one execution for all of a process'],
    },
    { id: 'store', x: 325, y: 200, width: 230, height: 54, label: 'store', lines: ['memory, Redis, codec, envelope'] },
    {
      id: 'lock',
      x: 610,
      y: 200,
      width: 230,
      height: 54,
      label: 'lock',
      lines: ['Locker: one holder in all processes'],
    },
    {
      id: 'redis',
      x: 325,
      y: 288,
      width: 515,
      height: 54,
      label: 'redis',
      lines: ['client port, deadlines, breaker, inbox, keys, scripts'],
    },
    {
      id: 'leaves',
      x: 40,
      y: 288,
      width: 230,
      height: 54,
      label: 'errors, clock, random, …',
      lines: ['leaves: for all, import only leaves'],
      kind: 'good-box',
    },
  ],
  arrows: [
    { from: 'middleware.bottom', to: 'cache.top' },
    { from: 'cache.bottom+-90', to: 'flight.top+60' },
    { from: 'cache.bottom', to: 'store.top' },
    { from: 'cache.bottom+90', to: 'lock.top+-60' },
    { from: 'store.bottom', to: 'redis.top+-142.5' },
    { from: 'lock.bottom', to: 'redis.top+142.5' },
  ],
  gist: 'Arrows are imports. They point one way only, and the linter refuses any other.',
})
