/** Turns of a loop after which a function certainly has inline caches. About 20 are enough. */
const TURNS = 500
let done = false

/**
 * Undoes an effect of loading ioredis on every string of the process. ioredis 6 has a class that extends String. That leaves
 * String.prototype in V8's mode for objects under construction: compiled code then looks up each string method again at
 * each call, and reading a number of thirteen digits takes four times as long. V8 ends that mode when an inline cache meets
 * an object that inherits from the prototype. Strings are not objects, so they never cause that. V8 does not return to the
 * mode, so once in a process is enough.
 */
export function makeStringsFast(): void {
  if (done) return
  done = true
  const boxed = Object('') as string
  for (let i = 0; i < TURNS; i++) boxed.charCodeAt(0)
}
