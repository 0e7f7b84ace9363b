import { describe, expect, test } from 'vitest'

import { plainHost } from '../../../../src/middleware/request/plain-request.ts'

describe('plainHost', () => {
  test.each([
    [['Host', 'a'], 'a'],
    [['host', 'a', 'User-Agent', 'b', 'Accept', '*/*', 'X-Anything', 'c'], 'a'],
    [[], ''],
    [['HOST', 'A:80'], 'A:80'],
  ])('%j: nothing else counts', (rawHeaders, host) => {
    expect(plainHost(rawHeaders)).toBe(host)
  })

  test.each([
    ...['Cookie', 'AUTHORIZATION', 'x-forwarded-host', 'X-Original-URL', 'Forwarded', 'X-HTTP-Method-Override'],
    ...['If-None-Match', 'If-Modified-Since', 'If-Match', 'If-Unmodified-Since', 'If-Range', 'Range'],
    ...['Content-Length', 'Transfer-Encoding', 'Upgrade', 'Expect', 'Idempotency-Key'],
    'Host',
  ])('%s tells more', (name) => {
    expect(plainHost(['Host', 'a', name, 'b'])).toBeUndefined()
    // Known by now, and no different.
    expect(plainHost([name, 'b', 'Host', 'a'])).toBeUndefined()
  })
})
