/** What listeners of a cache manager get, by event name. `error` is set if the operation failed. */
export interface CacheManagerEvents {
  /** A value was found. */
  get: <T>(data: { key: string; value?: T; error?: unknown }) => void
  mget: <T>(data: { keys: string[]; values?: (T | undefined)[]; error?: unknown }) => void
  /** A value was stored, by `set` or by `wrap`. */
  set: <T>(data: { key: string; value: T; error?: unknown }) => void
  mset: <T>(data: { list: { key: string; value: T; ttl?: number }[]; error?: unknown }) => void
  del: (data: { key: string; error?: unknown }) => void
  clear: (error?: unknown) => void
  /** `wrap` has loaded a value in the background. If that failed, `value` is the one that is still served. */
  refresh: <T>(data: { key: string; value: T; error?: unknown }) => void
}
