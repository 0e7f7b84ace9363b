import { describe, expect, it } from 'vitest'
import { parseLine, type Columns } from '../../../../src/cli/tune/line.ts'

const USUAL: Columns = { key: undefined, time: undefined, bytes: undefined, duration: undefined }
const line = (text: string, columns: Partial<Columns> = {}) => parseLine(text, { ...USUAL, ...columns })
const AT = Date.UTC(2026, 0, 2, 10, 0, 0)

describe('a line of an access log', () => {
  const common = '10.0.0.1 - ada [02/Jan/2026:12:00:00 +0200] "GET /a?b=c HTTP/1.1" 200 512'

  it('may be Common or Combined', () => {
    const asked = { at: AT, key: '/a?b=c', bytes: 512, load: undefined, isKept: true }
    expect(line(common)).toEqual({ asked })
    expect(line(`${common} "https://x.test/" "Mozilla (\\"x\\")"`)).toEqual({ asked })
    expect(line(common, { key: 'user' })).toEqual({ asked: { ...asked, key: 'ada' } })
  })

  it('may be JSON, with the usual names or those that are said', () => {
    const usual = { time: '2026-01-02T10:00:00Z', url: '/a', status: 200, bytes: 7, duration_ms: 30 }
    expect(line(JSON.stringify(usual))).toEqual({ asked: { at: AT, key: '/a', bytes: 7, load: 30, isKept: true } })
    const own = { when: AT / 1000, who: 5, length: 9, request_time: 0.25 }
    expect(line(JSON.stringify(own), { key: 'who', time: 'when' })).toEqual({
      asked: { at: AT, key: '5', bytes: 9, load: 250, isKept: true },
    })
  })

  it('may be a message of a channel: each way to answer a call is a request, and a refill tells the load time', () => {
    const capture = (channel: string, more = {}) => line(JSON.stringify({ channel, time: AT, key: 'user:1', ...more }))
    for (const channel of ['herdlock:hit', 'herdlock:stale', 'herdlock:miss', 'herdlock:coalesced']) {
      expect(capture(channel)).toEqual({ asked: { at: AT, key: 'user:1', bytes: 0, load: undefined, isKept: true } })
    }
    expect(capture('herdlock:refilled', { loadTime: 12 })).toEqual({ loaded: { key: 'user:1', took: 12 } })
    expect(capture('herdlock:invalidated')).toBe('other')
    expect(line('{"channel":"herdlock:error","error":{}}')).toBe('other')
  })

  it.each([
    ['GET', 200, true],
    ['HEAD', 404, true],
    ['GET', 304, true],
    ['GET', 206, true],
    ['GET', 500, false],
    ['GET', 302, false],
    ['POST', 200, 'other'],
  ] as const)('%s answered with %i is kept: %s', (method, status, kept) => {
    const read = line(common.replace('GET', method).replace(' 200 ', ` ${status} `))
    expect(typeof read === 'string' ? read : 'asked' in read && read.asked.isKept).toBe(kept)
  })

  it.each([
    '',
    'hello',
    '{',
    '{"url":"/a"}',
    '{"time":1,"url":""}',
    common.replace('Jan', 'Foo'),
    common.replace('/a?b=c ', ''),
  ])('that cannot be read is bad: %s', (text) => expect(line(text)).toBe('bad'))
})
