import { rotated } from './statistics.ts'

/** Begins the name of a question that is asked of processes that have just started; the warmed one follows. */
export const FIRST_SECOND = 'the first second of a process'
/** The same of the tenth with which that second begins: the code is at its coldest. */
export const FIRST_TENTH = 'the first 100 ms of a process'

/** Units of work a second. */
export interface Rates {
  readonly tenth: number
  readonly second: number
}

/**
 * Runs in a process that has just started. `callers` at once call `work` again and again, which resolves with the units
 * that it did. What a second does not see the end of is not counted.
 */
export async function ratesOfFirstSecond(callers: number, work: (caller: number) => Promise<number>): Promise<Rates> {
  let [tenth, second] = [0, 0]
  const start = performance.now()
  const callOn = async (caller: number): Promise<void> => {
    for (;;) {
      const units = await work(caller)
      const at = performance.now() - start
      if (at >= 1000) return
      if (at < 100) tenth += units
      second += units
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, caller) => callOn(caller)))
  return { tenth: tenth * 10, second }
}

/**
 * Contenders take turns, and have new processes each time: `measure` starts them, measures the first that they do, and
 * ends them.
 */
export async function inNewProcesses<C, F>(
  contenders: readonly C[],
  generations: number,
  measure: (contender: C, generation: number) => Promise<F>,
): Promise<Map<C, F[]>> {
  const figures = new Map<C, F[]>(contenders.map((contender) => [contender, []]))
  for (let generation = 0; generation < generations; generation++) {
    for (const contender of rotated(contenders, generation)) {
      figures.get(contender)?.push(await measure(contender, generation))
    }
  }
  return figures
}
