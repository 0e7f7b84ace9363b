import type { Actor } from './drawing/sequence.ts'

/** Who appears in the pictures of a refill: Redis between two processes, the origin beside the one that loads. */
export const refillActors: readonly Actor[] = [
  { id: 'b', label: 'process B', x: 110 },
  { id: 'redis', label: 'Redis', x: 340 },
  { id: 'a', label: 'process A', x: 550 },
  { id: 'origin', label: 'origin', x: 770 },
]
