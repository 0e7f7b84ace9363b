import { apacheTime, instant } from './instants.ts'
import { DEFAULT_TTL_STATUSES } from '../../middleware/rules/storable.ts'

/** One request of the past. */
export interface Asked {
  /** ms since 1970. */
  readonly at: number
  readonly key: string
  /** Of the answer; 0 where the line does not say. */
  readonly bytes: number
  /** ms that making the answer takes; `undefined` where the line does not say. */
  readonly load: number | undefined
  /** Whether the answer is kept. */
  readonly isKept: boolean
}

/** A load that a capture tells of, which took so many ms. */
export interface Loaded {
  readonly key: string
  readonly took: number
}

/** `other`: a line that is no request of the cache's, such as a POST. `bad`: one that cannot be read. */
export type Line = { readonly asked: Asked } | { readonly loaded: Loaded } | 'other' | 'bad'

/** Which field or column says what; `undefined`: the first of the usual names that is there. */
export interface Columns {
  readonly key: string | undefined
  readonly time: string | undefined
  readonly bytes: string | undefined
  /** Its unit is that of the name: `…_ms` and `…Ms` are ms, all others seconds. */
  readonly duration: string | undefined
}

const USUAL = {
  key: ['url', 'path', 'request_uri', 'uri', 'key'],
  time: ['time', 'timestamp', '@timestamp', 'ts', 'time_iso8601', 'msec'],
  bytes: ['bytes', 'size', 'body_bytes_sent', 'bytes_sent', 'length'],
  duration: ['duration_ms', 'durationMs', 'responseTime_ms', 'duration', 'request_time'],
} as const

/** The formats Common and Combined of Apache and nginx: host, ident, user, time, request, status, bytes, and what follows. */
const COMMON = /^(\S+) (\S+) (\S+) \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-)(.*)$/
/** Channels whose messages are requests: each call of a cache makes one. */
const REQUESTS = /^herdlock:(hit|stale|miss|coalesced)$/

export function parseLine(text: string, columns: Columns): Line {
  return text.startsWith('{') ? parseJson(text, columns) : parseCommon(text, columns)
}

function parseCommon(text: string, columns: Columns): Line {
  const [, host, ident, user, time, request, status, bytes, rest] = COMMON.exec(text) ?? []
  if (time === undefined || request === undefined || rest === undefined) return 'bad'
  const at = apacheTime(time)
  const [method = '', url = ''] = request.split(' ')
  if (Number.isNaN(at) || url === '' || url.startsWith('HTTP/')) return 'bad'
  const [, referer, agent] = /^ "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"/.exec(rest) ?? []
  const fields: Record<string, string | undefined> = { host, ident, user, url, referer, agent }
  const key = columns.key === undefined ? url : fields[columns.key]
  if (key === undefined) return 'bad'
  return asRequest({ method, key, at, bytes: Number(bytes) || 0, load: undefined, status: Number(status) })
}

function parseJson(text: string, columns: Columns): Line {
  let fields: Record<string, unknown>
  try {
    fields = JSON.parse(text) as Record<string, unknown>
  } catch {
    return 'bad'
  }
  const { channel } = fields
  if (typeof channel === 'string') return parseMessage(channel, fields)
  const key = found(fields, columns.key, USUAL.key)?.value
  const at = instant(found(fields, columns.time, USUAL.time)?.value)
  if ((typeof key !== 'string' && typeof key !== 'number') || key === '' || Number.isNaN(at)) return 'bad'
  const bytes = Number(found(fields, columns.bytes, USUAL.bytes)?.value ?? 0)
  const duration = found(fields, columns.duration, USUAL.duration)
  const load = duration && Number(duration.value) * (/ms$/i.test(duration.name) ? 1 : 1000)
  const { method = 'GET', status = 200 } = fields
  return asRequest({
    ...{ method: String(method), key: String(key), at, status: Number(status) },
    ...{ bytes: bytes >= 0 ? bytes : 0, load: load !== undefined && load >= 0 ? load : undefined },
  })
}

/** A message of a diagnostics channel, with the instant at which it came as `time`. */
function parseMessage(channel: string, fields: Record<string, unknown>): Line {
  const { key, time, loadTime } = fields
  if (typeof key !== 'string') return channel.startsWith('herdlock:') ? 'other' : 'bad'
  if (channel === 'herdlock:refilled')
    return typeof loadTime === 'number' ? { loaded: { key, took: loadTime } } : 'other'
  if (!REQUESTS.test(channel)) return 'other'
  const at = instant(time)
  if (Number.isNaN(at)) return 'bad'
  return { asked: { at, key, bytes: 0, load: undefined, isKept: true } }
}

/** What the middleware would take up. A 304 and a part are made of a whole answer, which is kept. */
function asRequest({ method, status, ...asked }: Omit<Asked, 'isKept'> & { method: string; status: number }): Line {
  if (method !== 'GET' && method !== 'HEAD') return 'other'
  return { asked: { ...asked, isKept: status === 304 || status === 206 || DEFAULT_TTL_STATUSES.has(status) } }
}

function found(
  fields: Record<string, unknown>,
  column: string | undefined,
  usual: readonly string[],
): { name: string; value: unknown } | undefined {
  const name = column ?? usual.find((each) => fields[each] !== undefined)
  return name === undefined || fields[name] === undefined ? undefined : { name, value: fields[name] }
}
