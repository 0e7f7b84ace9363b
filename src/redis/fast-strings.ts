/** A function has inline caches once it has run for a while: some 20 turns of a loop. */
const TURNS = 500
let done = false

/**
 * Undoes what loading ioredis does to every string of the process. A class that extends String, of which ioredis 6 has
 * one, leaves String.prototype in V8's mode for objects under construction: compiled code then looks each string method
 * up anew at each call, and reading a number of thirteen digits takes four times as long. V8 ends that mode when an
 * inline cache meets an object that inherits from the prototype, which strings, being no objects, never bring about. It
 * does not come back to it, so that once in a process is enough.
 */
export function makeStringsFast(): void {
  if (done) return
  done = true
  const boxed = Object('') as string
  for (let i = 0; i < TURNS; i++) boxed.charCodeAt(0)
}
