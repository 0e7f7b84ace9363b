import type { Recording } from './recording.ts'

/** The result of a replay. */
export interface Outcome {
  /** Answers that the origin had to make. */
  readonly loads: number
  /** Callers that got a stale value. */
  readonly stale: number
  /** Callers that had to wait for a load, their own or another one. */
  readonly waited: number
  /** The most loads of one key at one time. */
  readonly herd: number
  /** Bytes that the origin made. */
  readonly bytes: number
}

export interface Windows {
  /** ms */
  readonly ttl: number
  /** ms after `ttl` */
  readonly staleWhileRevalidate: number
}

const NEVER = -Infinity

/**
 * With herdlock, whose processes share a Redis: one load of a key at a time across all of them. `ttl` begins when a load
 * ends. A stale value is served at once while one load runs; without one, all callers wait for the load. An answer that
 * is not kept goes only to the callers that waited for it.
 */
export function replayHerdlock(recording: Recording, { ttl, staleWhileRevalidate }: Windows): Outcome {
  const { length, keys, at, key, bytes, load, isKept } = recording
  const freshUntil = new Float64Array(keys).fill(NEVER)
  /** The end of the running load, or of the last one. */
  const loadedAt = new Float64Array(keys).fill(NEVER)
  const isLoading = new Uint8Array(keys)
  const willBeKept = new Uint8Array(keys)
  let loads = 0
  let stale = 0
  let waited = 0
  let loadedBytes = 0
  for (let index = 0; index < length; index++) {
    const now = at[index] as number
    const k = key[index] as number
    if (isLoading[k] === 1 && (loadedAt[k] as number) <= now) {
      isLoading[k] = 0
      if (willBeKept[k] === 1) freshUntil[k] = (loadedAt[k] as number) + ttl
    }
    const until = freshUntil[k] as number
    if (now < until) continue
    const isUsable = now < until + staleWhileRevalidate
    if (isUsable) stale++
    else waited++
    if (isLoading[k] === 1) continue
    loads++
    loadedBytes += bytes[index] as number
    isLoading[k] = 1
    willBeKept[k] = isKept[index] as number
    loadedAt[k] = now + (load[index] as number)
  }
  return { loads, stale, waited, herd: loads === 0 ? 0 : 1, bytes: loadedBytes }
}

/**
 * Without herdlock: only a cache with this ttl in each process. A caller that finds nothing fresh loads. Requests go to
 * the processes in turn.
 */
export function replayPlain(recording: Recording, ttl: number, processes: number): Outcome {
  const { length, keys, at, key, bytes, load, isKept } = recording
  const freshUntil = new Float64Array(keys * processes).fill(NEVER)
  const running = new Map<number, Running>()
  let loads = 0
  let herd = 0
  let loadedBytes = 0
  for (let index = 0; index < length; index++) {
    const now = at[index] as number
    const k = key[index] as number
    const slot = k * processes + (index % processes)
    let own = running.get(k)
    if (own !== undefined && own.firstEnd <= now) {
      for (const one of own.loads) {
        if (one.end <= now && one.isKept) freshUntil[one.slot] = Math.max(freshUntil[one.slot] as number, one.end + ttl)
      }
      own = withoutEnded(own, now)
      if (own === undefined) running.delete(k)
      else running.set(k, own)
    }
    if (now < (freshUntil[slot] as number)) continue
    loads++
    loadedBytes += bytes[index] as number
    const begun = { end: now + (load[index] as number), slot, isKept: isKept[index] === 1 }
    if (own === undefined) running.set(k, (own = { firstEnd: begun.end, loads: [] }))
    own.loads.push(begun)
    own.firstEnd = Math.min(own.firstEnd, begun.end)
    herd = Math.max(herd, own.loads.length)
  }
  return { loads, stale: 0, waited: loads, herd, bytes: loadedBytes }
}

/** The running loads of one key. */
interface Running {
  firstEnd: number
  /** When each ends, which cache it fills, and whether it is kept. */
  readonly loads: { readonly end: number; readonly slot: number; readonly isKept: boolean }[]
}

function withoutEnded(running: Running, now: number): Running | undefined {
  const loads = running.loads.filter(({ end }) => end > now)
  if (loads.length === 0) return undefined
  return { loads, firstEnd: loads.reduce((least, { end }) => Math.min(least, end), Infinity) }
}
