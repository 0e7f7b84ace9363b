import { connectResp } from './resp.ts'
import type { RedisServer } from './redis-server.ts'

/** An instant of which no more is known than that it lies between these two. ms on Redis's clock. */
export interface Moment {
  readonly earliest: number
  readonly latest: number
}

/** A command that Redis carried out, and those that it made in its course, if it was a script. */
export interface Monitored {
  /**
   * When Redis looked at its clock for it: between the line before the command and the last line of it. Some versions look
   * before they tell of a command, others after that. If Redis was stopped in between, much time lies between the lines.
   */
  readonly at: Moment
  readonly words: readonly string[]
  readonly inner: readonly (readonly string[])[]
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
  const transcript = new Transcript()
  let isStopped = false
  const read = async (): Promise<void> => {
    for (;;) transcript.add(String(await client.next()))
  }
  read().catch((error: unknown) => {
    if (!isStopped && !/closed/.test(String(error))) throw error
  })
  return {
    commands: transcript.commands,
    stop() {
      if (!isStopped) transcript.dropLast() // not all of it may have been told
      isStopped = true
      client.close()
    },
  }
}

/** The commands of which lines of MONITOR tell. */
export class Transcript {
  readonly #commands: { readonly at: { earliest: number; latest: number }; words: string[]; inner: string[][] }[] = []
  /** The instant of the line before. */
  #toldAt: number | undefined

  get commands(): readonly Monitored[] {
    return this.#commands
  }

  add(line: string): void {
    const { at, isInner, words } = parseLine(line)
    const last = this.#commands.at(-1)
    if (!isInner) this.#commands.push({ at: { earliest: this.#toldAt ?? at, latest: at }, words, inner: [] })
    else if (last !== undefined) {
      last.inner.push(words)
      last.at.latest = at
    }
    this.#toldAt = at
  }

  dropLast(): void {
    this.#commands.pop()
  }
}

const LINE = /^(\d+\.\d+) \[\d+ (\S+)\] (.*)$/s
const WORD = /"((?:[^"\\]|\\.)*)"/gs

/** `1763972400.123456 [0 127.0.0.1:5000] "GET" "key"`; in place of the address `lua` for what a script does. */
function parseLine(line: string): { at: number; isInner: boolean; words: string[] } {
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
