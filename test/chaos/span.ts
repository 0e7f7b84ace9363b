/** For people; `null`: it never ended. */
export function span(from: number, to: number | null): string {
  return `${Math.round(from)}–${to === null ? '' : Math.round(to)}`
}
