import { expect, test } from 'vitest'

import { parseForwarded } from '../../../../src/middleware/request/forwarded.ts'

test('what two fields tell is the same only if their proxies said the same', () => {
  const fields = ['host=a;proto=b', 'host=a,proto=b', 'host="a;proto=1:b"', 'host=a', ',host=a', 'proto=a', 'host=A']
  expect(new Set(fields.map((field) => parseForwarded(field).telling)).size).toBe(fields.length)
})

test.each([
  [undefined, undefined, [], []],
  ['', undefined, [], []],
  ['for=10.0.0.1', undefined, [], []],
  ['for="[::1]:80";by=_a;secret=b', undefined, [], []],
  ['for=a;proto=https', 'proto=5:https', ['https'], []],
  ['for=b;PROTO=HTTPS', 'proto=5:HTTPS', ['https'], []],
  ['proto=https;host="a.example:8443"', 'proto=5:https;host=14:a.example:8443', ['https'], ['a.example:8443']],
  ['proto=https ; host=a.example:8443', 'proto=5:https;host=14:a.example:8443', ['https'], ['a.example:8443']],
  ['for=a, proto=http;for=b, host=c', ',proto=4:http,host=1:c', ['http'], ['c']],
  ['for="a,proto=x"', undefined, [], []],
  ['proto =\thttps;host= "a" ', 'proto=5:https;host=1:a', ['https'], ['a']],
  ['host=a', 'host=1:a', [], ['a']],
  ['host=a;host=b', 'host=1:a;host=1:b', [], ['a', 'b']],
  ['host="a\\"b"', 'host=3:a"b', [], ['a"b']],
  ['host=', 'host=0:', [], ['']],
  [';;proto=http;', 'proto=4:http', ['http'], []],
  ['for=a, for=b', undefined, [], []],
  ['by="a"b;proto=http', 'proto=4:http', ['http'], []],
  // Malformed: all of it may change the answer.
  ['for="a', 'for="a', [], []],
  ['host="a"b', 'host="a"b', [], []],
  ['https', 'https', [], []],
  ['proto="https"x, host=a', 'proto="https"x, host=a', [], []],
  ['host=a, proto="', 'host=a, proto="', [], []],
  ['proto=https;=b', 'proto=https;=b', [], []],
])('%s', (field, telling, protos, hosts) => {
  expect(parseForwarded(field)).toEqual({ telling, protos, hosts })
})
