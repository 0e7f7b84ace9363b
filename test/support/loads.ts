/** A loader that counts its runs; `value` makes the result of each from its number, 1 for the first. */
export interface CountedLoads<V> {
  readonly loader: () => V
  readonly runs: number
}

export function countLoads<V>(value: (run: number) => V): CountedLoads<V> {
  let runs = 0
  return {
    loader: () => value(++runs),
    get runs() {
      return runs
    },
  }
}
