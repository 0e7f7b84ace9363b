import type { Connection } from '../redis/connection.ts'
import { entryKeysBeginning, tagKeysBeginning } from '../redis/entry-keys.ts'
import { lockKeys } from '../redis/lock-keys.ts'
import { SCAN_START, scanStep, type ScanPosition } from '../redis/scan.ts'
import { TOKEN_PREFIX } from '../redis/scripts/hand-off.ts'
import { decodeEnvelope, type Envelope, HEADER_LENGTH, readHeader, type StoredTag } from './envelope.ts'

/** Something that stands in Redis, found by its name and not looked at yet. */
export interface Found {
  readonly kind: 'entry' | 'lease' | 'lock'
  /** Of entries and leases in its readable, escaped form; of locks as it is. */
  readonly key: string
  /** Its key in Redis, and that of those who wait for it. */
  readonly redisKey: string
  readonly waitersKey: string
  /** A connection to the node that holds it. */
  readonly node: Connection
}

/** A lease of a refill, or a lock, that is held now. */
export interface HeldLease {
  readonly kind: 'lease' | 'lock'
  readonly key: string
  /** The inbox of the process that holds it; `undefined` where that is no herdlock. The token itself stays secret. */
  readonly holder: string | undefined
  /** ms; -1 when it never ends. */
  readonly remaining: number
  /** Processes that wait for a refill, callers that wait for a lock. */
  readonly waiters: number
}

/** An entry that is stored now. Durations in ms, on the clock of its Redis. */
export interface StoredEntry {
  readonly key: string
  /**
   * `outdated`: past its windows, or one of its tags was invalidated. `unshared`: a marker that results of the key are not
   * to be shared. `foreign`: nothing of ours, or of another version.
   */
  readonly state: 'fresh' | 'stale' | 'outdated' | 'unshared' | 'foreign'
  /** What is left of `ttl` and of each window, 0 when it has ended. */
  readonly fresh: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  /** Until Redis deletes it; -1 when it never does. */
  readonly expires: number
  /** Bytes of the encoded value. */
  readonly size: number
  /** ms that its loader took. */
  readonly loadTime: number
  readonly tags: readonly string[]
}

/** Finds all entries and leases under a prefix in one Redis by SCAN, batch after batch. One may be found twice. */
export async function* findStored(connection: Connection, prefix: string): AsyncGenerator<readonly Found[]> {
  const beginning = entryKeysBeginning(prefix)
  for await (const keys of keysBeginningWith(connection, beginning)) {
    yield keys.flatMap((redisKey): Found | [] => {
      const [, name, part] = /\{([^{}]*)\}(:lease)?$/.exec(redisKey) ?? []
      if (name === undefined) return []
      const waitersKey = `${redisKey.slice(0, redisKey.length - (part?.length ?? 0))}:waiters`
      return { kind: part === undefined ? 'entry' : 'lease', key: name, redisKey, waitersKey, node: connection }
    })
  }
}

const QUEUES = 'herdlock:queue:{'
const QUEUE = /^herdlock:queue:\{[^{}]*\}:(.+)$/s

/** Finds the locks that somebody waits for, by their queues. */
export async function* findAwaitedLocks(connection: Connection): AsyncGenerator<readonly Found[]> {
  for await (const keys of keysBeginningWith(connection, QUEUES)) {
    yield keys.flatMap((waitersKey): Found | [] => {
      const key = QUEUE.exec(waitersKey)?.[1]
      return key === undefined ? [] : { kind: 'lock', key, redisKey: key, waitersKey, node: connection }
    })
  }
}

/** Finds what may be locks among the keys that begin so: only whoever names the beginning knows. */
export async function* findLocks(connection: Connection, beginning: string): AsyncGenerator<readonly Found[]> {
  for await (const keys of keysBeginningWith(connection, beginning)) {
    yield keys.map((key) => {
      const waitersKey = lockKeys(connection.client, key).queue
      return { kind: 'lock', key, redisKey: key, waitersKey, node: connection }
    })
  }
}

/** Keys that one step has Redis look at. */
const BATCH = 500

async function* keysBeginningWith(connection: Connection, beginning: string): AsyncGenerator<readonly string[]> {
  let position: ScanPosition | undefined = SCAN_START
  while (position !== undefined) {
    const { keys, next } = await scanStep(connection, { beginning }, position, BATCH)
    yield keys
    position = next
  }
}

/** The lease or lock behind a name; `undefined` when it has gone meanwhile, or is none. */
export async function readLease({ kind, key, redisKey, waitersKey, node }: Found): Promise<HeldLease | undefined> {
  if (kind === 'entry') return undefined
  const [token, remaining, waiters] = await Promise.all([
    node.command('get', redisKey).catch(orWrongType),
    node.command('pttl', redisKey),
    node.command(kind === 'lock' ? 'zcard' : 'scard', waitersKey),
  ])
  if (typeof token !== 'string') return undefined
  return { kind, key, holder: holderOf(token), remaining: Number(remaining), waiters: Number(waiters) }
}

/** Tags are short: this many bytes after the header are read at once. */
const LIKELY_TAGS = 1024

/**
 * The entry behind a name; `undefined` when it has gone meanwhile. `readTag` fetches the key of a tag, which on a Cluster
 * lies on another node. The value itself is not read.
 */
export async function readEntry(
  { key, redisKey, node }: Found,
  prefix: string,
  readTag: (tagKey: string) => Promise<unknown>,
): Promise<StoredEntry | undefined> {
  const [time, beginning, length, pttl] = await Promise.all([
    node.command('time'),
    node.commandBuffer('getrange', redisKey, 0, HEADER_LENGTH + LIKELY_TAGS - 1).catch(orWrongType),
    node.command('strlen', redisKey).catch(orWrongType),
    node.command('pttl', redisKey),
  ])
  if (pttl === GONE) return undefined
  const [seconds, micros] = time as [string, string]
  const now = Number(seconds) * 1000 + Number(micros) / 1000
  const envelope = Buffer.isBuffer(beginning) ? await wholeHead(beginning, node, redisKey) : undefined
  if (envelope === undefined) {
    return { key, state: 'foreign', ...NO_WINDOWS, expires: Number(pttl), size: Number(length ?? 0) }
  }
  const left = (instant: number): number => Math.max(Math.round(instant - now), 0)
  const staleWhileRevalidate = left(envelope.staleUntil)
  const staleIfError = left(envelope.errorUntil)
  const isUsable = staleWhileRevalidate + staleIfError + left(envelope.freshUntil) > 0
  const isValid = isUsable && (await areValid(envelope.tags, prefix, readTag))
  const windows = { fresh: left(envelope.freshUntil), staleWhileRevalidate, staleIfError }
  return {
    key,
    state: !isValid ? 'outdated' : envelope.kind === 'pass' ? 'unshared' : windows.fresh > 0 ? 'fresh' : 'stale',
    ...windows,
    expires: Number(pttl),
    size: Number(length) - headOf(beginning as Buffer),
    loadTime: envelope.loadTime,
    tags: envelope.tags.map(([tag]) => tag),
  }
}

/** PTTL of what is not there. */
const GONE = -2
const NO_WINDOWS = { fresh: 0, staleWhileRevalidate: 0, staleIfError: 0, loadTime: 0, tags: [] } as const

/** The envelope without its payload; where its tags are longer than was read, they are read once more. */
async function wholeHead(beginning: Buffer, node: Connection, redisKey: string): Promise<Envelope | undefined> {
  const head = headOf(beginning)
  if (Number.isNaN(head)) return undefined
  if (head <= beginning.length) return decodeEnvelope(beginning.subarray(0, head))
  return decodeEnvelope((await node.commandBuffer('getrange', redisKey, 0, head - 1)) as Buffer)
}

/** Bytes of header and tags; NaN for what is no envelope. */
function headOf(beginning: Buffer): number {
  return HEADER_LENGTH + (readHeader(beginning.toString('latin1', 0, HEADER_LENGTH))?.tagBytes ?? NaN)
}

async function areValid(
  tags: readonly StoredTag[],
  prefix: string,
  readTag: (tagKey: string) => Promise<unknown>,
): Promise<boolean> {
  const instants = await Promise.all(tags.map(([tag]) => readTag(`${tagKeysBeginning(prefix)}${tag}}`)))
  return tags.every(([, startedAt], index) => {
    const invalidatedAt = instants[index]
    return typeof invalidatedAt === 'string' && Number(invalidatedAt) < startedAt
  })
}

function holderOf(token: string): string | undefined {
  return token.startsWith(TOKEN_PREFIX) ? token.slice(TOKEN_PREFIX.length).split(':')[0] : undefined
}

function orWrongType(error: unknown): undefined {
  if (!(error instanceof Error && error.message.startsWith('WRONGTYPE'))) throw error
}
