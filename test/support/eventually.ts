import { setTimeout as delay } from 'node:timers/promises'

/**
 * Resolves with the first truthy result of `check`, which is asked again every `every` ms. For states that announce
 * themselves by no event (a Cluster's, a Sentinel's); whatever has an event is awaited by its event.
 */
export async function eventually<T>(
  what: string,
  check: () => T | Promise<T>,
  { within = 10_000, every = 20 }: { within?: number; every?: number } = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + within
  let last: unknown
  for (;;) {
    try {
      const result = await check()
      if (result) return result
      last = result
    } catch (error) {
      last = error
    }
    if (performance.now() > deadline) throw new Error(`not within ${within} ms: ${what}`, { cause: last })
    await delay(every)
  }
}
