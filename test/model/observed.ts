import { claim } from '../../src/redis/scripts/claim.ts'
import { invalidateTags } from '../../src/redis/scripts/invalidate-tags.ts'
import { lockExtend } from '../../src/redis/scripts/lock-extend.ts'
import { overwrite } from '../../src/redis/scripts/overwrite.ts'
import { settle } from '../../src/redis/scripts/settle.ts'
import type { Script } from '../../src/redis/script.ts'
import type { Monitored } from '../support/monitored.ts'

/** Who was sent a message, by inbox, and whether it carried a value or said: look again. */
export interface Told {
  readonly inboxes: readonly string[]
  readonly what: 'value' | 'again' | undefined
}

/** What was seen to happen to one entry, in ms on Redis's clock. */
export type Observation = { readonly at: number; readonly told: Told } & (
  | {
      readonly kind: 'claim'
      readonly token: string
      /** '' for none. */
      readonly inbox: string
      /** What is fresh no longer than that counts as stale. */
      readonly freshBeyond: number | undefined
      readonly takesOver: boolean
      readonly leaseFor: number
      readonly answer: 'fresh' | 'leased' | 'busy'
    }
  | {
      readonly kind: 'settle'
      readonly token: string
      readonly what: 'store' | 'failure' | 'deliver' | 'abandon'
      readonly version: number
      /** Whether by its owner's clock the lease has run out. */
      readonly hasRunOut: boolean
      readonly isDone: boolean
      readonly stored: Stored | undefined
    }
  | { readonly kind: 'set'; readonly version: number; readonly stored: Stored; readonly isTagged: boolean }
  | { readonly kind: 'delete' }
  | { readonly kind: 'extend'; readonly leaseFor: number }
  | { readonly kind: 'invalidate-tag' }
  /** The key of the tag stands in Redis from now on. */
  | { readonly kind: 'tag' }
  /** Everything is gone. */
  | { readonly kind: 'flush' }
  /** Somebody else has written there: what stands there is not known. */
  | { readonly kind: 'unknown' }
)

/** Instants in ms on Redis's clock. */
export interface Stored {
  readonly freshUntil: number
  readonly goneAt: number
}

/** An entry, and the tag that its values have. */
export interface Watched {
  readonly valueKey: string
  readonly tagKey: string
}

/** ms that a script may take before it looks at the clock. */
const MARGIN = 100

const NOBODY: Told = { inboxes: [], what: undefined }
/** Width of an entry in KEYS and ARGV, and where those of the first begin in ARGV. */
const CLAIM = { keys: 4, args: 1, from: 5 }
const OVERWRITE = { keys: 6, args: 7, from: 4 }

/** What befell `watched` in the course of `commands`. */
export function observe(commands: readonly Monitored[], watched: Watched): Observation[] {
  return commands.flatMap((command) => {
    const isTouched = command.inner.some(([verb, key]) => verb === 'SET' && key === watched.tagKey)
    const touched: Observation[] = isTouched ? [{ kind: 'tag', at: command.at, told: NOBODY }] : []
    return [...touched, ...[observeOne(command, watched) ?? []].flat()]
  })
}

function observeOne(command: Monitored, { valueKey, tagKey }: Watched): Observation | undefined {
  const { at, words } = command
  const name = words[0]?.toUpperCase()
  if (name === 'FLUSHALL') return { kind: 'flush', at, told: NOBODY }
  const called = name === 'EVALSHA' || name === 'EVAL' ? callOf(words) : undefined
  if (called === undefined) return writesTo(words, valueKey) ? { kind: 'unknown', at, told: NOBODY } : undefined
  if (command.inner.length === 0) return undefined // the script was not known (NOSCRIPT)
  const { is, keys } = called
  if (is(invalidateTags)) return keys.includes(tagKey) ? { kind: 'invalidate-tag', at, told: NOBODY } : undefined
  if (is(lockExtend)) {
    const extended = command.inner.find(([verb, key]) => verb === 'PEXPIRE' && key === `${valueKey}:lease`)
    return extended && { kind: 'extend', at, told: NOBODY, leaseFor: Number(extended[2]) }
  }
  if (is(claim)) return claimed(command, called, valueKey)
  if (is(settle)) return settled(command, called, valueKey)
  if (is(overwrite)) return overwritten(command, called, valueKey)
  return command.inner.some((each) => writesTo(each, valueKey)) ? { kind: 'unknown', at, told: NOBODY } : undefined
}

interface Called {
  is(script: Script): boolean
  readonly keys: readonly string[]
  readonly args: readonly string[]
}

function callOf([, script, count, ...rest]: readonly string[]): Called {
  const keys = rest.slice(0, Number(count))
  return { is: ({ sha, source }) => script === sha || script === source, keys, args: rest.slice(keys.length) }
}

const WRITES = /^(SET|DEL|UNLINK|PEXPIRE|SETRANGE|SADD|RESTORE)$/i

function writesTo([verb = '', ...rest]: readonly string[], valueKey: string): boolean {
  const own = [valueKey, `${valueKey}:lease`, `${valueKey}:waiters`, `${valueKey}:last`]
  return WRITES.test(verb) && rest.some((word) => own.includes(word))
}

/** The arguments for one entry of several. */
function partOf({ keys, args }: Called, valueKey: string, width: typeof CLAIM): readonly string[] | undefined {
  const index = keys.indexOf(valueKey)
  if (index === -1) return undefined
  const from = width.from + (index / width.keys) * width.args
  return args.slice(from, from + width.args)
}

function claimed({ at, inner }: Monitored, called: Called, valueKey: string): Observation | undefined {
  const part = partOf(called, valueKey, CLAIM)
  if (part === undefined) return undefined
  const [asked] = part as [string]
  const [, token = asked, freshBeyond = '', letters = ''] = /^(\S+) (\S*) ([a-z]*)$/.exec(asked) ?? []
  const did = (verb: string, key: string): boolean => inner.some((words) => words[0] === verb && words[1] === key)
  const isLeased = did('SET', `${valueKey}:last`)
  const isBusy = !isLeased && did('SET', `${valueKey}:lease`)
  return {
    ...{ kind: 'claim', at, token, inbox: called.args[1] as string, takesOver: letters.includes('t') },
    freshBeyond: freshBeyond === '' ? undefined : Number(freshBeyond),
    leaseFor: Number(called.args[0]),
    answer: isLeased ? 'leased' : isBusy ? 'busy' : 'fresh',
    told: toldIn(inner, valueKey),
  }
}

/** One end of a refill among several: KEYS in which it stands first, and how many there are of each; ARGV where the first begins. */
const SETTLE = { keys: 5, from: 5, deadline: 3 }

interface Settled {
  readonly token: string
  readonly storeFor: number
  readonly bytes: string
  readonly hasRunOut: boolean
}

function settlementOf({ keys, args }: Called, valueKey: string): Settled | undefined {
  const index = keys.indexOf(valueKey) / SETTLE.keys
  if (index < 0) return undefined
  let arg = SETTLE.from
  for (let i = 0; ; i++) {
    const [token = '', ttl, revalidate, ifError, letters = ''] = (args[arg] as string).split(' ')
    const more = (letters.includes('b') ? 1 : 0) + (letters.includes('n') ? 1 : 0) + (letters.includes('c') ? 3 : 0)
    const bytes = letters.includes('b') ? (args[arg + 1] as string) : ''
    arg += 1 + more
    if (i < index) continue
    const storeFor = bytes === '' ? 0 : Number(ttl) + Math.max(Number(revalidate), Number(ifError))
    return { token, storeFor, bytes, hasRunOut: letters.includes('r') }
  }
}

function settled({ at, inner }: Monitored, called: Called, valueKey: string): Observation | undefined {
  const settlement = settlementOf(called, valueKey)
  if (settlement === undefined) return undefined
  const { token, storeFor, bytes, hasRunOut } = settlement
  const deadline = storeFor > 0 ? called.args[SETTLE.deadline] : ''
  const isDone = inner.some((words) => words[0] === 'DEL' && words[1] === `${valueKey}:last`)
  if (!isDone && deadline !== '' && at > Number(deadline) - MARGIN) return undefined // it was too late
  const stored = storedIn(inner, valueKey, at)
  const isFailure = bytes[3] === 'f'
  const isAbandoned = bytes === '' || (isFailure && stored === undefined)
  return {
    ...{ kind: 'settle', at, token, isDone, stored, hasRunOut, version: versionIn(bytes) },
    what: isAbandoned ? 'abandon' : isFailure ? 'failure' : storeFor === 0 ? 'deliver' : 'store',
    told: toldIn(inner, valueKey),
  }
}

function overwritten({ at, inner }: Monitored, called: Called, valueKey: string): Observation | undefined {
  const part = partOf(called, valueKey, OVERWRITE)
  const isDone = inner.some((words) => words[0] === 'DEL' && words[1] === `${valueKey}:last`)
  if (part === undefined || !isDone) return undefined
  const [storeFor, bytes] = part as [string, string]
  const told = toldIn(inner, valueKey)
  if (storeFor === '0') return { kind: 'delete', at, told }
  const stored = storedIn(inner, valueKey, at)
  if (storeFor === 'expire' || stored === undefined) return { kind: 'unknown', at, told }
  return { kind: 'set', at, told, stored, version: versionIn(bytes), isTagged: bytes.slice(58, 63) !== '00000' }
}

function storedIn(inner: Monitored['inner'], valueKey: string, at: number): Stored | undefined {
  const set = inner.find((words) => words[0] === 'SET' && words[1] === valueKey)
  return set && { freshUntil: Number(set[2]?.slice(5, 18)), goneAt: at + Number(set[4]) }
}

function versionIn(bytes: string): number {
  return Number(/"version":(\d+)/.exec(bytes)?.[1] ?? 0)
}

const INBOX = 'herdlock:inbox:'

function toldIn(inner: Monitored['inner'], valueKey: string): Told {
  const messages = inner.flatMap(([verb, channel = '', message = '']) => {
    if (!/^S?PUBLISH$/.test(verb as string) || !channel.startsWith(INBOX)) return []
    const [, length = '', rest = ''] = /^(\d+):(.*)$/s.exec(message) ?? []
    const topic = rest.slice(0, Number(length))
    return topic.startsWith(valueKey) ? [{ inbox: channel.slice(INBOX.length), payload: rest.slice(topic.length) }] : []
  })
  if (messages.length === 0) return NOBODY
  const isAgain = messages.every(({ payload }) => /^a\d*$/.test(payload))
  return { inboxes: messages.map(({ inbox }) => inbox), what: isAgain ? 'again' : 'value' }
}
