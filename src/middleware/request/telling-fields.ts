import { METHOD_OVERRIDES } from './bypass.ts'
import { NARROWING } from './narrowing.ts'
import { OVERRIDES } from './request-key.ts'

/** Request fields that decide whether a request is answered from the store, and with which response. */
export const TELLING: ReadonlySet<string> = new Set([
  ...OVERRIDES,
  ...METHOD_OVERRIDES,
  ...NARROWING,
  ...['authorization', 'cookie', 'content-length', 'transfer-encoding', 'upgrade', 'expect', 'idempotency-key'],
  ...['if-match', 'if-unmodified-since'],
])
