import { apacheTime, instant } from './instants.ts'
import { DEFAULT_TTL_STATUSES } from '../../middleware/rules/storable.ts'

/** One request of the past. */
export interface Asked {
  /** ms since 1970. */
  readonly at: number
  readonly key: string
  /** Size of the answer; 0 if the line does not say. */
  readonly bytes: number
  /** ms that the load takes; `undefined` if the line does not say. */
  readonly load: number | undefined
  /** Whether the answer is kept. */
  readonly isKept: boolean
}

/** A load in a capture, and how many ms it took. */
export interface Loaded {
  readonly key: string
  readonly took: number
}

/** `other`: a line that is not a request for the cache, such as a POST. `bad`: a line that cannot be read. */
export type Line = { readonly asked: Asked } | { readonly loaded: Loaded } | 'other' | 'bad'

/** The names of fields or columns. `undefined`: the first usual name that exists. */
export interface Columns {
  readonly key: string | undefined
  readonly time: string | undefined
  readonly bytes: string | undefined
  /** The name decides the unit: `…_ms` and `…Ms` are ms, all others seconds. */
  readonly duration: string | undefined
}

const USUAL = {
  key: ['url', 'path', 'request_uri', 'uri', 'key'],
  time: ['time', 'timestamp', '@timestamp', 'ts', 'time_iso8601', 'msec'],
  bytes: ['bytes', 'size', 'body_bytes_sent', 'bytes_sent', 'length'],
  duration: ['duration_ms', 'durationMs', 'responseTime_ms', 'duration', 'request_time'],
} as const

/** The Common and Combined formats of Apache and nginx: host, ident, user, time, request, status, bytes, and the rest. */
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

/** A message of a diagnostics channel, with the time of its arrival as `time`. */
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

/** Whether the middleware would handle it. A 304 and a part come from a whole answer, which is kept. */
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
