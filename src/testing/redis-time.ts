import { createHash } from 'node:crypto'
import type { Argument, ClientPort, ReplyKind } from '../redis/client-port.ts'

/** Precedes a script that asks for the time. The last argument says how many ms to add. */
const TIME_FUNCTION = `local testbedAhead = tonumber(table.remove(ARGV))
local function testbedTime()
  local time = redis.call('TIME')
  local micros = time[1] * 1000000 + time[2] + math.floor(testbedAhead * 1000)
  return { string.format('%.0f', math.floor(micros / 1000000)), string.format('%.0f', micros % 1000000) }
end
`
const TIME_CALL = /redis\.call\('TIME'\)/g

/** KEYS: the keys that age. ARGV[1]: by how many ms. */
const AGE = `
for _, key in ipairs(KEYS) do
  local left = redis.call('PTTL', key)
  if left >= 0 then
    if left <= tonumber(ARGV[1]) then redis.call('DEL', key) else redis.call('PEXPIRE', key, left - ARGV[1]) end
  end
end`
const KEYS_A_SCRIPT = 1000

interface Command {
  readonly name: string
  readonly args: readonly Argument[]
}

/**
 * Makes a real Redis follow virtual time. Virtual time is real time plus the advanced time, which every script gets. When
 * time is advanced, the keys that were used age by as much.
 */
export class RedisTime {
  readonly #port: ClientPort
  readonly #ahead: () => number
  /** Keys that may expire. */
  readonly keys: Set<string> = new Set()
  /** The fraction of a ms by which keys have not aged yet. */
  #owed = 0
  /** By the sender's name of a script: the script that asks for virtual time. */
  readonly #scripts = new Map<string, { readonly source: string; readonly sha: string }>()

  constructor(port: ClientPort, ahead: () => number) {
    this.#port = port
    this.#ahead = ahead
  }

  send(as: ReplyKind, name: string, args: readonly Argument[]): Promise<unknown> {
    const command = this.#translated(name, args)
    const reply = this.#port.send(as, command.name, command.args)
    return name === 'time' ? reply.then((time) => this.#later(time as (string | Buffer)[])) : reply
  }

  /** Ages keys by `ms`. */
  async pass(ms: number): Promise<void> {
    this.#owed += ms
    const whole = Math.floor(this.#owed)
    this.#owed -= whole
    const keys = whole > 0 ? [...this.keys] : []
    for (let at = 0; at < keys.length; at += KEYS_A_SCRIPT) {
      const some = keys.slice(at, at + KEYS_A_SCRIPT)
      await this.#port.send('text', 'eval', [AGE, some.length, ...some, whole])
    }
  }

  #translated(name: string, args: readonly Argument[]): Command {
    switch (name) {
      case 'eval': {
        const [source, count, ...rest] = args as [string, number, ...Argument[]]
        this.#noteKeys(rest.slice(0, count))
        const script = this.#scriptOf(source)
        return { name, args: script === undefined ? args : [script.source, count, ...rest, this.#ahead()] }
      }
      case 'evalsha': {
        const [sha, count, ...rest] = args as [string, number, ...Argument[]]
        this.#noteKeys(rest.slice(0, count))
        const script = this.#scripts.get(sha)
        return { name, args: script === undefined ? args : [script.sha, count, ...rest, this.#ahead()] }
      }
      case 'script': {
        const script = args[0] === 'load' ? this.#scriptOf(String(args[1])) : undefined
        return { name, args: script === undefined ? args : ['load', script.source] }
      }
      case 'set':
        this.#noteKeys(args.slice(0, 1))
        return { name, args }
      default:
        return { name, args }
    }
  }

  #noteKeys(keys: readonly Argument[]): void {
    for (const key of keys) this.keys.add(String(key))
  }

  #scriptOf(source: string): { readonly source: string; readonly sha: string } | undefined {
    if (!source.includes("redis.call('TIME')")) return undefined
    const known = this.#scripts.get(digest(source))
    if (known !== undefined) return known
    const virtual = TIME_FUNCTION + source.replace(TIME_CALL, 'testbedTime()')
    const script = { source: virtual, sha: digest(virtual) }
    this.#scripts.set(digest(source), script)
    return script
  }

  #later(time: readonly (string | Buffer)[]): string[] {
    const [seconds, micros] = time.map(Number) as [number, number]
    const all = seconds * 1_000_000 + micros + Math.floor(this.#ahead() * 1000)
    return [String(Math.floor(all / 1_000_000)), String(all % 1_000_000)]
  }
}

function digest(source: string): string {
  return createHash('sha1').update(source).digest('hex')
}
