import { describe, expect, test } from 'vitest'

import { edgeScheme, hostNames, hostOf, originOf } from '../../../../src/middleware/request/origin.ts'

type Headers = Record<string, string | string[]>

test.each([
  ['Host as it was sent', { host: 'A.example:80' }, 'A.example:80'],
  ['HTTP/2 has it in :authority', { ':authority': 'b', host: 'a' }, 'b'],
  ['an empty :authority is one', { ':authority': '', host: 'a' }, ''],
  ['a list is no :authority', { ':authority': ['b'], host: 'a' }, 'a'],
  ['a proxy has no say', { 'x-forwarded-host': 'b', forwarded: 'host=c', host: 'a' }, 'a'],
  ['none at all', {}, ''],
])('hostOf: %s', (_name, headers, expected) => {
  expect(hostOf(headers)).toBe(expected)
})

test.each([
  ['a plain connection', { host: 'A:80' }, false, 'http://a:80'],
  ['an encrypted one', { host: 'a' }, true, 'https://a'],
  ['HTTP/2', { ':authority': 'B', host: 'a' }, true, 'https://b'],
  ['a proxy has no say', { host: 'a', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'b' }, false, 'http://a'],
])('originOf: %s', (_name, headers, isEncrypted, expected) => {
  expect(originOf({ headers, isEncrypted })).toBe(expected)
})

describe('edgeScheme', () => {
  test.each([
    ['nobody says anything and the connection is plain', {}, false, 'http'],
    ['nobody says anything and the connection is encrypted', {}, true, 'https'],
    ['X-Forwarded-Proto goes before the connection', { 'x-forwarded-proto': 'https' }, false, 'https'],
    ['a proxy took TLS on towards us only', { 'x-forwarded-proto': 'http' }, true, 'http'],
    ['X-Forwarded-Scheme', { 'x-forwarded-scheme': 'https' }, false, 'https'],
    ['X-Forwarded-Ssl: on', { 'x-forwarded-ssl': 'on' }, false, 'https'],
    ['X-Forwarded-Ssl: off', { 'x-forwarded-ssl': 'off' }, true, 'http'],
    ['the proto of Forwarded', { forwarded: 'for=a;proto=https' }, false, 'https'],
    [':scheme of HTTP/2', { ':scheme': 'https' }, false, 'https'],
    ['schemes have no case', { 'x-forwarded-proto': 'HTTPS', forwarded: 'proto=Https' }, false, 'https'],
    ['proxies in a row that agree', { 'x-forwarded-proto': 'https , https,' }, false, 'https'],
    ['two lines that agree', { 'x-forwarded-proto': ['https', 'https'] }, false, 'https'],
    ['an empty field says nothing', { 'x-forwarded-proto': ' , ' }, true, 'https'],
    ['a Forwarded without proto says nothing', { forwarded: 'for=a' }, true, 'https'],
  ] as Array<[string, Headers, boolean, string]>)('%s', (_name, headers, isEncrypted, expected) => {
    expect(edgeScheme({ headers, isEncrypted })).toBe(expected)
  })

  test.each([
    ['proxies in a row that differ', { 'x-forwarded-proto': 'https, http' }],
    ['two fields that differ', { 'x-forwarded-proto': 'https', 'x-forwarded-ssl': 'off' }],
    ['a field and Forwarded that differ', { 'x-forwarded-scheme': 'http', forwarded: 'proto=https' }],
    ['a field and :scheme that differ', { 'x-forwarded-proto': 'http', ':scheme': 'https' }],
    ['another scheme', { 'x-forwarded-proto': 'wss' }],
  ] as Array<[string, Headers]>)('is unknown: %s', (_name, headers) => {
    expect(edgeScheme({ headers, isEncrypted: true })).toBeUndefined()
  })
})

test.each([
  ['Host alone', { host: 'a' }, ['a', 'a']],
  ['Host beside :authority', { ':authority': 'b', host: 'a' }, ['b', 'a']],
  ['X-Forwarded-Host, each proxy', { host: 'a', 'x-forwarded-host': 'B , c' }, ['a', 'a', 'b', 'c']],
  ['Forwarded, each proxy', { host: 'a', forwarded: 'host=b, for=x;host="c:1"' }, ['a', 'a', 'b', 'c:1']],
  ['none at all', {}, []],
] as Array<[string, Headers, string[]]>)('hostNames: %s', (_name, headers, expected) => {
  expect(hostNames(headers)).toEqual(expected)
})
