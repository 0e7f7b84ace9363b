/** Adds to a list of which the first go when it has too many. */
export function keep<T>(list: T[], item: T, most: number): void {
  list.push(item)
  if (list.length > most) list.splice(0, list.length - most)
}
