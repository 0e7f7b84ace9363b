import { expect, test } from 'vitest'

import { parseForwarded } from '../../../../src/middleware/request/forwarded.ts'

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
  // Malformed: all of it may change the answer.
  ['for="a', 'for="a', [], []],
  ['host="a"b', 'host="a"b', [], []],
  ['https', 'https', [], []],
  ['proto=https;=b', 'proto=https;=b', [], []],
])('%s', (field, telling, protos, hosts) => {
  expect(parseForwarded(field)).toEqual({ telling, protos, hosts })
})
