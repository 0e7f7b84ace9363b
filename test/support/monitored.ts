import { connectResp } from './resp.ts'
import type { RedisServer } from './redis-server.ts'

/** A command that Redis carried out, and those that it made in its course, if it was a script. */
export interface Monitored {
  /** ms on Redis's clock at which it began. */
  readonly at: number
  readonly words: readonly string[]
  readonly inner: (readonly string[])[]
}

/** All that a Redis carries out, in its order, by MONITOR. */
export interface Monitor {
  readonly commands: readonly Monitored[]
  /** Until now, or until Redis has ended. */
  stop(): void
}

export async function monitor(redis: RedisServer): Promise<Monitor> {
  const client = await connectResp(redis)
  await client.command('MONITOR')
  const commands: Monitored[] = []
  let isStopped = false
  const read = async (): Promise<void> => {
    for (;;) {
      const { at, isInner, words } = parseLine(String(await client.next()))
      if (isInner) commands.at(-1)?.inner.push(words)
      else commands.push({ at, words, inner: [] })
    }
  }
  read().catch((error: unknown) => {
    if (!isStopped && !/closed/.test(String(error))) throw error
  })
  return {
    commands,
    stop() {
      if (!isStopped) commands.pop() // not all of it may have been told
      isStopped = true
      client.close()
    },
  }
}

const LINE = /^(\d+\.\d+) \[\d+ (\S+)\] (.*)$/s
const WORD = /"((?:[^"\\]|\\.)*)"/gs

/** `1763972400.123456 [0 127.0.0.1:5000] "GET" "key"`; in place of the address `lua` for what a script does. */
export function parseLine(line: string): { at: number; isInner: boolean; words: string[] } {
  const [, seconds, address, rest] = LINE.exec(line) ?? []
  if (rest === undefined) throw new Error(`not a line of MONITOR: ${line.slice(0, 100)}`)
  const words = [...rest.matchAll(WORD)].map(([, word]) => unescaped(word as string))
  return { at: Number(seconds) * 1000, isInner: address === 'lua', words }
}

const SHORT: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', a: '\u0007', b: '\b' }

function unescaped(word: string): string {
  if (!word.includes('\\')) return word
  return word.replace(/\\(?:x([0-9a-f]{2})|(.))/gs, (_, code: string | undefined, char: string) =>
    code === undefined ? (SHORT[char] ?? char) : String.fromCharCode(Number.parseInt(code, 16)),
  )
}
