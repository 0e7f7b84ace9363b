/** How a promise ended and after how many ms: for operations that must end in time whichever way. */
export async function settled<T>(promise: Promise<T>): Promise<{ value?: T; error?: Error; took: number }> {
  const startedAt = performance.now()
  try {
    return { value: await promise, took: performance.now() - startedAt }
  } catch (error) {
    return { error: error as Error, took: performance.now() - startedAt }
  }
}
