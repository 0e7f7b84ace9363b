import { defineScript, type Script } from '../script.ts'

/**
 * Reads a value where it was written. Unlike a plain GET, a script never goes to a replica.
 *
 *     KEYS  1 value
 *
 * Replies the bytes, or nil.
 */
export const readValue: Script = defineScript(`return redis.pcall('GET', KEYS[1])`)
