/** A promise and what resolves it; Node 20 has no `Promise.withResolvers`. */
export function deferred() {
  let resolve
  const promise = new Promise((settle) => (resolve = settle))
  return { promise, resolve }
}
