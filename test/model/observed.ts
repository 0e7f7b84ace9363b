import { claim } from '../../src/redis/scripts/claim.ts'
import { invalidateTags } from '../../src/redis/scripts/invalidate-tags.ts'
import { lockExtend } from '../../src/redis/scripts/lock-extend.ts'
import { overwrite } from '../../src/redis/scripts/overwrite.ts'
import { settle } from '../../src/redis/scripts/settle.ts'
import type { Script } from '../../src/redis/script.ts'
import type { Moment, Monitored } from '../support/monitored.ts'
import { after } from './moment.ts'

/** Who was sent a message, by inbox, and whether it carried a value or said: look again. */
export interface Told {
  readonly inboxes: readonly string[]
  readonly what: 'value' | 'again' | undefined
}

/** What was seen to happen to one entry. */
export type Observation = { readonly at: Moment; readonly told: Told } & (
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

export interface Stored {
  /** In ms on Redis's clock: the envelope says so. */
  readonly freshUntil: number
  readonly goneAt: Moment
}

/** An entry, and the tag that its values have. */
export interface Watched {
  readonly valueKey: string
  readonly tagKey: string
}

const NOBODY: Told = { inboxes: [], what: undefined }
/** Width of an entry in KEYS and ARGV, and where those of the first begin in ARGV. */
const CLAIM = { keys: 4, args: 1, from: 5 }
const OVERWRITE = { keys: 6, args: 8, from: 5 }

/** What befell `watched` in the course of `commands`. */
export function observe(commands: readonly Monitored[], watched: Watched): Observation[] {
  return commands.flatMap((command) => {
    const isTouched = command.inner.some(([verb, key]) => verb === 'SET' && key === watched.tagKey)
    const touched: Observation[] = isTouched ? [{ kind: 'tag', at: command.at, told: NOBODY }] : []
    return [...touched, ...observeOne(command, watched)]
  })
}

function observeOne(command: Monitored, { valueKey, tagKey }: Watched): Observation[] {
  const { at, words, inner } = command
  const seen = { at, told: NOBODY }
  const name = words[0]?.toUpperCase()
  if (name === 'FLUSHALL') return [{ kind: 'flush', ...seen }]
  const called = name === 'EVALSHA' || name === 'EVAL' ? callOf(words) : undefined
  if (called === undefined) return writesTo(words, valueKey) ? [{ kind: 'unknown', ...seen }] : []
  if (inner.length === 0) return [] // the script was not known (NOSCRIPT)
  const { is, keys } = called
  if (is(invalidateTags)) return keys.includes(tagKey) ? [{ kind: 'invalidate-tag', ...seen }] : []
  if (is(lockExtend)) {
    const extended = inner.find(([verb, key]) => verb === 'PEXPIRE' && key === `${valueKey}:lease`)
    return extended === undefined ? [] : [{ kind: 'extend', ...seen, leaseFor: Number(extended[2]) }]
  }
  const read = is(claim) ? claimed : is(settle) ? settled : is(overwrite) ? overwritten : undefined
  if (read !== undefined) return read({ at, called, valueKey, inner })
  return inner.some((each) => writesTo(each, valueKey)) ? [{ kind: 'unknown', ...seen }] : []
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

/** A script that was carried out for several entries, of which one is looked at. */
interface Ran {
  readonly at: Moment
  readonly called: Called
  readonly valueKey: string
  readonly inner: Monitored['inner']
}

/** The places of the entry among those of the call: it may be there several times, with a token each. */
function placesOf({ called, valueKey }: Ran, width: number): number[] {
  return called.keys.flatMap((key, index) => (key === valueKey && index % width === 0 ? [index / width] : []))
}

/** What the script did for each of these places, of which each begins with such a command; undefined if it did not reach all. */
function turnsOf(
  inner: Monitored['inner'],
  [verbs, key]: readonly [RegExp, string],
  count: number,
): Monitored['inner'][] | undefined {
  const starts = inner.flatMap(([verb = '', what], index) => (verbs.test(verb) && what === key ? [index] : []))
  return starts.length === count ? starts.map((start, i) => inner.slice(start, starts[i + 1])) : undefined
}

function claimed(ran: Ran): Observation[] {
  const { at, called, valueKey } = ran
  const places = placesOf(ran, CLAIM.keys)
  const turns = turnsOf(ran.inner, [/^GET$/, valueKey], places.length)
  if (turns === undefined) return [{ kind: 'unknown', at, told: NOBODY }]
  return turns.map((inner, turn) => {
    const asked = called.args[CLAIM.from + (places[turn] as number) * CLAIM.args] as string
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
  })
}

/** One end of a refill among several: KEYS in which it stands first, and how many there are of each; ARGV where the first begins. */
const SETTLE = { keys: 5, from: 5, deadline: 3 }

interface Settled {
  readonly token: string
  readonly storeFor: number
  readonly bytes: string
  readonly hasRunOut: boolean
}

function settlementsOf({ args }: Called, places: readonly number[]): Settled[] {
  const settlements: Settled[] = []
  let arg = SETTLE.from
  for (let place = 0; settlements.length < places.length; place++) {
    const [token = '', ttl, revalidate, ifError, letters = ''] = (args[arg] as string).split(' ')
    const more = (letters.includes('b') ? 1 : 0) + (letters.includes('n') ? 1 : 0) + (letters.includes('c') ? 5 : 0)
    const bytes = letters.includes('b') ? (args[arg + 1] as string) : ''
    arg += 1 + more
    if (!places.includes(place)) continue
    const storeFor = bytes === '' ? 0 : Number(ttl) + Math.max(Number(revalidate), Number(ifError))
    settlements.push({ token, storeFor, bytes, hasRunOut: letters.includes('r') })
  }
  return settlements
}

function settled(ran: Ran): Observation[] {
  const { at, called, valueKey } = ran
  const places = placesOf(ran, SETTLE.keys)
  const turns = turnsOf(ran.inner, [/^GET$/, `${valueKey}:lease`], places.length)
  if (turns === undefined) return [{ kind: 'unknown', at, told: NOBODY }]
  const settlements = settlementsOf(called, places)
  return turns.flatMap((inner, turn) => {
    const { token, storeFor, bytes, hasRunOut } = settlements[turn] as Settled
    const deadline = storeFor > 0 ? called.args[SETTLE.deadline] : ''
    const isDone = inner.some((words) => words[0] === 'DEL' && words[1] === `${valueKey}:last`)
    if (!isDone && deadline !== '' && at.latest > Number(deadline)) return [] // it was too late
    const stored = storedIn(inner, valueKey, at)
    const isFailure = bytes[3] === 'f'
    const isAbandoned = bytes === '' || (isFailure && stored === undefined)
    return {
      ...{ kind: 'settle', at, token, isDone, stored, hasRunOut, version: versionIn(bytes) },
      what: isAbandoned ? 'abandon' : isFailure ? 'failure' : storeFor === 0 ? 'deliver' : 'store',
      told: toldIn(inner, valueKey),
    }
  })
}

function overwritten(ran: Ran): Observation[] {
  const { at, called, valueKey, inner } = ran
  const places = placesOf(ran, OVERWRITE.keys)
  const isDone = inner.some(([verb, key]) => verb === 'DEL' && key === `${valueKey}:last`)
  const [place, another] = places
  if (place === undefined || !isDone) return []
  const [storeFor, bytes] = called.args.slice(OVERWRITE.from + place * OVERWRITE.args) as [string, string]
  const told = toldIn(inner, valueKey)
  if (storeFor === '0' && another === undefined) return [{ kind: 'delete', at, told }]
  const stored = storedIn(inner, valueKey, at)
  if (another !== undefined || storeFor === 'expire' || stored === undefined) return [{ kind: 'unknown', at, told }]
  return [{ kind: 'set', at, told, stored, version: versionIn(bytes), isTagged: bytes.slice(58, 63) !== '00000' }]
}

function storedIn(inner: Monitored['inner'], valueKey: string, at: Moment): Stored | undefined {
  const set = inner.find((words) => words[0] === 'SET' && words[1] === valueKey)
  return set && { freshUntil: Number(set[2]?.slice(5, 18)), goneAt: after(at, Number(set[4])) }
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
