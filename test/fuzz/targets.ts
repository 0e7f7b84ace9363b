import { compressed } from '../../src/store/compressed-codec.ts'
import { Backplane } from '../../src/cache/shared/backplane.ts'
import { parseAddress } from '../../src/cli/address.ts'
import { readArguments } from '../../src/cli/arguments.ts'
import { parseInfo } from '../../src/cli/doctor/info.ts'
import { UsageError } from '../../src/cli/usage-error.ts'
import { selectionOf } from '../../src/middleware/answer/narrowed.ts'
import { resolveOptions } from '../../src/middleware/options.ts'
import { cookieValues } from '../../src/middleware/request/cookies.ts'
import { parseForwarded } from '../../src/middleware/request/forwarded.ts'
import { hostNames } from '../../src/middleware/request/origin.ts'
import { keyedUrl } from '../../src/middleware/request/query.ts'
import { areSafe, blockOf, FieldMap } from '../../src/middleware/rules/fields.ts'
import { parseHttpDate } from '../../src/middleware/rules/http-date.ts'
import { judge } from '../../src/middleware/rules/storable.ts'
import { entityTags } from '../../src/middleware/rules/validators.ts'
import { selectingValue, varyFields } from '../../src/middleware/rules/vary.ts'
import { normalisedPreference } from '../../src/middleware/rules/vary-normalise.ts'
import { storedCodec } from '../../src/middleware/stored/stored-codec.ts'
import { StoredResponse } from '../../src/middleware/stored/stored-response.ts'
import { entryCodec } from '../../src/next/entry-codec.ts'
import { original, readable } from '../../src/redis/entry-keys.ts'
import { lockKeys, lockOfQueue } from '../../src/redis/lock-keys.ts'
import { decodeText, defaultCodec } from '../../src/store/codec.ts'
import { decodeEnvelope, encodeEnvelope } from '../../src/store/envelope.ts'
import { inboxOf } from '../../src/store/holding.ts'
import { readNotice } from '../../src/store/notice.ts'
import { leftBy } from '../../src/store/tag-record.ts'
import { readChunk, readEnd, readHead, readMessage } from '../../src/stream/frames.ts'
import { FakeRandom } from '../support/fake-random.ts'

/** One parser of bytes that come from outside. */
export interface Target {
  readonly name: string
  /** What it is made for: what is tried begins as one of these, as often as not. */
  readonly seeds: readonly (string | Uint8Array)[]
  /**
   * Parses, and throws if that is not as it should be. A parser whose callers catch what it throws may throw any `Error`
   * but those that tell of a fault of its own, which `faults` names.
   */
  run(input: Buffer): void
}

/** What no parser may end with, whatever its callers catch: the stack, or memory, is used up. */
const FAULTS = [RangeError]

/** For a parser whose callers take what it throws as "cannot be read". */
function mayRefuse(parse: (input: Buffer) => void): (input: Buffer) => void {
  return (input) => {
    try {
      parse(input)
    } catch (error) {
      if (!(error instanceof Error) || error instanceof Wrong) throw error
      if (FAULTS.some((fault) => error instanceof fault)) throw error
    }
  }
}

/** What was parsed is not as it should be. */
class Wrong extends Error {
  override readonly name = 'Wrong'
}

function expectThat(condition: boolean, what: string): void {
  if (!condition) throw new Wrong(what)
}

/** What it gives back for each of these it gives back again when it reads what it has written of it. */
function lasts<V>(decode: (bytes: Uint8Array) => V, encode: (value: V) => Uint8Array): (input: Buffer) => void {
  return mayRefuse((input) => {
    const once = encode(decode(input))
    expectThat(Buffer.from(once).equals(Buffer.from(encode(decode(once)))), 'it is not the same the second time')
  })
}

const gzip = compressed()
const PARTS = {
  ...{ status: 200, statusMessage: 'OK', fields: ['Content-Type', 'text/plain'], removed: ['x-powered-by'] },
  ...{ joins: ['server-timing'], body: Buffer.from('body'), respondedAt: 1_760_000_000_000 },
  lifetime: { age: 1, freshness: 2, staleWhileRevalidate: 3, staleIfError: 4 },
  ...{ mustValidate: false, explicit: true, selecting: [['accept', 'text/html']] as const },
}
const ENVELOPE = { kind: 'value', loadTime: 42, tags: [['user:7', 1_760_000_000_000_000]] as const } as const
const values: unknown[] = [null, 'text', { a: [1, 2.5, true] }, new Map([[1, new Set(['a'])]]), Buffer.from([0, 255])]
const encoded = values.map((value) => defaultCodec.encode(value))
const settings = resolveOptions({ ttl: 1000, targetedFields: ['CDN-Cache-Control', 'Surrogate-Control'] })
const AT = Date.UTC(2026, 0)
const FIELDS = ['Cache-Control', 'CDN-Cache-Control', 'Surrogate-Control', 'Vary', 'Age', 'Date', 'Expires', 'ETag']
const CONTROL = ['max-age=60, s-maxage="5", no-cache="a, b", private', 'max-age=1;a=b, stale-if-error=00007', 'a="\\"']

const backplane = new Backplane('fuzz', new FakeRandom(), false)
const messages = (
  [
    { kind: 'key', key: 'user:7' },
    { kind: 'tag', tag: 'users' },
    { kind: 'all', path: '' },
    { kind: 'expired-key', key: 'user:7' },
    { kind: 'expired-tag', tag: 'users', over: 1000 },
  ] as const
).map((change) => new Backplane('fuzz', new FakeRandom(2), false).announce(change).message)

export const targets: readonly Target[] = [
  {
    name: 'value in Redis: envelope',
    seeds: [Buffer.from(encodeEnvelope({ ...ENVELOPE, payload: encoded[2] as Uint8Array }))],
    run(input) {
      const envelope = decodeEnvelope(input)
      if (envelope === undefined) return
      expectThat(
        envelope.tags.every(([tag, at]) => typeof tag === 'string' && Number.isFinite(at)),
        'its tags are none',
      )
      for (const text of ['0', '1 2 3', input.toString('latin1')]) leftBy([text], envelope, 'key', 0)
    },
  },
  { name: 'value in Redis: default codec', seeds: encoded, run: lasts(defaultCodec.decode, defaultCodec.encode) },
  {
    name: 'value in Redis: default codec, as text',
    seeds: encoded.slice(0, 4),
    run: mayRefuse((input) => void decodeText(input.toString(), 0)),
  },
  {
    name: 'value in Redis: compressed',
    seeds: [gzip.encode('a'.repeat(5000)), gzip.encode('short')],
    run: mayRefuse((input) => void gzip.decode(input)),
  },
  {
    name: 'value in Redis: stored response',
    seeds: [storedCodec.encode(new StoredResponse(PARTS))],
    run: mayRefuse((input) => {
      const stored = storedCodec.decode(input)
      if (!(stored instanceof StoredResponse)) return
      const { fields } = stored
      expectThat(areSafe(fields) && fields.every((text) => !/[\r\n\0]/.test(text)), 'its fields could split a response')
      expectThat(Number.isInteger(stored.status) && stored.status >= 200 && stored.status <= 599, 'its status is none')
    }),
  },
  {
    name: 'value in Redis: entry of Next',
    seeds: [
      entryCodec.encode({
        tags: ['a'],
        stale: 1,
        expire: Infinity,
        revalidate: 1,
        timestamp: 1,
        body: Buffer.from('a'),
      }),
    ],
    run: lasts(entryCodec.decode, entryCodec.encode),
  },
  { name: 'key in Redis', seeds: ['user:7', 'a%7b%v1', 'users%/7'], run: (input) => void original(input.toString()) },
  {
    name: 'key of a user',
    seeds: ['user:7', '{a}', '\0%', 'a'.repeat(300)],
    run(input) {
      const key = input.toString()
      if (key === '') return
      const { key: back, shortened } = original(readable(key))
      expectThat(shortened || back === key, 'it does not come back')
      expectThat(!/[{}]/.test(readable(key)), 'it has braces')
      lockOfQueue(lockKeys({ keyPrefix: '' }, key).queue)
    },
  },
  { name: 'token of a lease', seeds: ['hl1:inbox:token', 'foreign'], run: (input) => void inboxOf(input.toString()) },
  {
    name: 'message: backplane',
    seeds: [...messages, `.sender000005f3a1b2c3d4j4:k\0ab5:k\0abc`],
    run(input) {
      const { number, changes } = backplane.read(input)
      expectThat(number === undefined || number > 0, 'its number is none')
      for (const { change } of changes) {
        if (change.kind === 'expired-tag') expectThat(!Number.isNaN(change.over), 'its time is none')
      }
    },
  },
  {
    name: 'message: end of a refill',
    seeds: ['f{"name":"Error","message":"no","origin":"host:1"}', 'p', 'l', 'a100', 'hl1v'],
    run(input) {
      const notice = readNotice(input, () => undefined)
      if (notice.kind === 'again') expectThat(!Number.isNaN(notice.within), 'its time is none')
      if (notice.kind === 'failed') expectThat(typeof notice.failure.message === 'string', 'its message is none')
    },
  },
  {
    name: 'message: pieces of a stream',
    seeds: ['0 5:hello3:abc', '12 0:', '7'],
    run(input) {
      const message = readMessage(input)
      const length = message?.frames.reduce((sum, frame) => sum + frame.length, 0) ?? 0
      expectThat(length <= input.length, 'it has more than was sent')
    },
  },
  {
    name: 'frame of a stream',
    seeds: ['h["run",1760000000000000]', 'e', 'e{"name":"Error","message":"no","origin":"host:1"}', 'stext', 'J[1]'],
    run(input) {
      const head = readHead(input)
      expectThat(head === undefined || (typeof head.run === 'string' && Number.isFinite(head.beganAt)), 'it is no head')
      const { failure } = readEnd(input) ?? {}
      expectThat(failure === undefined || typeof failure.message === 'string', 'its message is none')
      mayRefuse((frame) => void readChunk(frame))(input)
    },
  },
  {
    name: 'response fields',
    seeds: CONTROL,
    run(input) {
      const text = input.toString('latin1')
      for (const name of FIELDS) {
        const fields = [name, text]
        const map = new FieldMap(fields)
        const asked = { authorization: true, cookie: false, resumes: false, at: AT }
        const { kind } = judge(asked, { status: 200, fields: map, at: AT } as never, settings) as { kind?: unknown }
        expectThat(kind !== null, 'there is no verdict')
        blockOf(fields)
      }
      for (const tag of entityTags(text)) expectThat(tag !== '', 'an entity tag is empty')
      const names = varyFields(text)
      expectThat(
        names === undefined || names.every((each) => each === each.toLowerCase()),
        'a field is not in lower case',
      )
    },
  },
  {
    name: 'request fields',
    seeds: [
      'a=b; c="d"',
      'for=1.2.3.4;host="a.example:80";proto=https',
      'en;q=0.5, de, *',
      'bytes=0-1,5-',
      'W/"a", "b"',
    ],
    run(input) {
      const text = input.toString('latin1')
      cookieValues(text, ['a', 'b'])
      parseForwarded(text)
      hostNames({ host: text, 'x-forwarded-host': text, forwarded: text })
      selectingValue({ accept: text }, 'accept')
      normalisedPreference('accept-language', text, ['de', 'en'])
      normalisedPreference('accept-encoding', text, ['gzip'])
      const narrowing = { range: text, 'if-none-match': text, 'if-range': text, 'if-modified-since': text }
      const stored = { status: 200, fields: new FieldMap(['ETag', '"a"']), respondedAt: AT }
      const selection = selectionOf(
        { narrowing, narrowed: true, isHead: false, lastEventId: undefined },
        stored as never,
        10,
      )
      if (selection.kind !== 'part') return
      expectThat(selection.start >= 0 && selection.start <= selection.end && selection.end < 10, 'it is outside')
    },
  },
  {
    name: 'URL of a request',
    seeds: ['/a?b=1&a=2', '/?utm_source=x&q=%20', 'http://a.example/?#', '*'],
    run(input) {
      const rules = { ignoresQuery: (name: string) => name.startsWith('utm_'), sortQuery: true }
      const once = keyedUrl(input.toString('latin1'), rules)
      expectThat(keyedUrl(once, rules) === once, 'its key has another key')
    },
  },
  {
    name: 'HTTP date',
    seeds: ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'],
    run(input) {
      const at = parseHttpDate(input.toString('latin1'), AT)
      expectThat(at === undefined || Number.isFinite(at), 'it is no instant')
    },
  },
  {
    name: 'address of a Redis',
    seeds: ['redis://user:pa%20ss@host:6379/1', 'rediss://[::1]', 'valkey://h'],
    run: onlyUsage((text) => {
      const { port, db } = parseAddress(text)
      expectThat(Number.isInteger(port) && port <= 65_535 && Number.isInteger(db), 'its numbers are none')
    }),
  },
  {
    name: 'arguments of the command',
    seeds: ['doctor redis://h --strict', 'inspect redis://h --limit 5 --locks a', 'tune a.log --ttl 1,2', '--help'],
    run: onlyUsage((text) => void readArguments(text.split(' '), { REDIS_URL: 'redis://h' })),
  },
  {
    name: 'answer to INFO',
    seeds: ['# Server\r\nredis_version:7.0.15\r\nmaxmemory:0\r\n'],
    run: (input) => void parseInfo(input.toString()),
  },
]

/** Of the command line: people are told what is wrong, and nothing else happens. */
function onlyUsage(parse: (text: string) => void): (input: Buffer) => void {
  return (input) => {
    try {
      parse(input.toString())
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
    }
  }
}
