/** A log with a single time counts as one second long. */
export function secondsOf(span: number): number {
  return span === 0 ? 1 : span / 1000
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 120_000) return `${Number((ms / 1000).toFixed(1))} s`
  if (ms < 7_200_000) return `${Number((ms / 60_000).toFixed(1))} min`
  return `${Number((ms / 3_600_000).toFixed(1))} h`
}
