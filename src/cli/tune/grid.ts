import type { Recording } from './recording.ts'
import { type Outcome, replayHerdlock, replayPlain, type Windows } from './replay.ts'

/** One line of the result. */
export interface Cell extends Windows, Outcome {
  readonly with: 'herdlock' | 'plain cache'
  /** How many; with herdlock it makes no difference. */
  readonly processes: number | undefined
}

export interface Axes {
  /** ms */
  readonly ttls: readonly number[]
  /** ms */
  readonly stales: readonly number[]
  readonly processes: readonly number[]
}

/** Replays the recording with each combination. Calls `note` before each replay. */
export function replayAll(recording: Recording, axes: Axes, note: (done: number, of: number) => void): Cell[] {
  const { ttls, stales, processes } = axes
  const plain = ttls.flatMap((ttl) =>
    processes.map((count) => () => ({
      ...{ with: 'plain cache' as const, ttl, staleWhileRevalidate: 0, processes: count },
      ...replayPlain(recording, ttl, count),
    })),
  )
  const ours = ttls.flatMap((ttl) =>
    stales.map((staleWhileRevalidate) => () => ({
      ...{ with: 'herdlock' as const, ttl, staleWhileRevalidate, processes: undefined },
      ...replayHerdlock(recording, { ttl, staleWhileRevalidate }),
    })),
  )
  const replays: (() => Cell)[] = [...ours, ...plain]
  return replays.map((replay, index) => {
    note(index, replays.length)
    return replay()
  })
}

/** Share of the loads that the longest ttl saves which is good enough. */
export const ENOUGH = 0.9

/**
 * The shortest ttl that saves at least `ENOUGH` of the loads that the longest one saves, with herdlock and the smallest
 * stale window. A longer ttl makes values older and gains little. `undefined` if no ttl saves any load.
 */
export function advisedTtl(cells: readonly Cell[], requests: number): number | undefined {
  const ours = cells.filter((cell) => cell.with === 'herdlock')
  const least = Math.min(...ours.map(({ staleWhileRevalidate }) => staleWhileRevalidate))
  const line = ours
    .filter(({ staleWhileRevalidate }) => staleWhileRevalidate === least)
    .toSorted((one, other) => one.ttl - other.ttl)
  const longest = line.at(-1)
  if (longest === undefined || longest.loads >= requests) return undefined
  return line.find(({ loads }) => requests - loads >= ENOUGH * (requests - longest.loads))?.ttl
}
