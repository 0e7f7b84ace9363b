import { hash } from 'node:crypto'

/*
 * Entries that expire together must not be refilled together. Each gets its moment from a hash of its key, which every
 * process and every Redis computes in the same way: here once in JavaScript and once in Lua.
 */

/** ms from 0 to below `over`, for the entry of a key in readable form. */
export function spread(form: string, over: number): number {
  if (over === 0) return 0
  return Math.floor((Number.parseInt(hash('sha1', form).slice(0, 8), 16) / 2 ** 32) * over)
}

/** Lua function `spread(valueKey, over)`: the same, for the entry's key in Redis. */
export const spreadInLua: string = `
local function spread(valueKey, over)
  if over == 0 then return 0 end
  local form = string.match(valueKey, '{([^{}]*)}$')
  return math.floor(tonumber(string.sub(redis.sha1hex(form), 1, 8), 16) / 4294967296 * over)
end
`
