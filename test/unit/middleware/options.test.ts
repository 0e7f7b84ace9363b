import { expect, test } from 'vitest'

import { singleFlight } from '../../../src/middleware/node/single-flight.ts'

test.each([
  ['options', null, 'options must be an object, received null'],
  ['cache', { cache: {} }, 'cache must be a Cache, received an object'],
  ['ttl', { ttl: 0 }, 'ttl must be a whole number of milliseconds, 1 or more, received 0'],
  ['ttl', { ttl: '5s' }, 'ttl must be a whole number of milliseconds, 1 or more, received "5s"'],
  ['staleIfError', { staleIfError: -1 }, 'staleIfError must be a whole number of milliseconds, 0 or more, received -1'],
  ['staleWhileRevalidate', { staleWhileRevalidate: Number.NaN }, 'received NaN'],
  ['key', { key: 'url' }, 'key must be a function, received "url"'],
  ['keyHeaders', { keyHeaders: 'X-A' }, 'keyHeaders must be an array of field names, received "X-A"'],
  ['keyHeaders', { keyHeaders: ['X A'] }, 'keyHeaders[0] must be a field name, received "X A"'],
  ['targetedFields', { targetedFields: [1] }, 'targetedFields[0] must be a field name, received 1'],
  ['ignoreCookies', { ignoreCookies: 1 }, 'ignoreCookies must be a boolean, received 1'],
  ['allowCookies', { allowCookies: 'a' }, 'allowCookies must be an array of cookie names, received "a"'],
  ['allowCookies', { allowCookies: ['a;b'] }, 'allowCookies[0] must be a cookie name, received "a;b"'],
  ['ignoreQuery', { ignoreQuery: 'a' }, 'ignoreQuery must be an array of parameter names or a function, received "a"'],
  ['ignoreQuery', { ignoreQuery: [1] }, 'ignoreQuery[0] must be a parameter name, received 1'],
  ['sortQuery', { sortQuery: 'yes' }, 'sortQuery must be a boolean, received "yes"'],
  [
    'varyNormalise',
    { varyNormalise: { Accept: ['a'] } },
    "varyNormalise must be an object with 'Accept-Encoding', 'Accept-Language' or both, received \"Accept\"",
  ],
  [
    'varyNormalise',
    { varyNormalise: { 'Accept-Language': 'de' } },
    'varyNormalise[\'Accept-Language\'] must be an array of names, received "de"',
  ],
  [
    'varyNormalise',
    { varyNormalise: { 'accept-encoding': ['b r'] } },
    'varyNormalise[\'accept-encoding\'][0] must be a name, received "b r"',
  ],
  ['bypass', { bypass: true }, 'bypass must be a function, received true'],
  ['waitUntil', { waitUntil: 1 }, 'waitUntil must be a function, received 1'],
  ['shareMustRevalidate', { shareMustRevalidate: 1 }, 'shareMustRevalidate must be a boolean, received 1'],
  ['shareEventStreams', { shareEventStreams: 'yes' }, 'shareEventStreams must be a boolean, received "yes"'],
  ['maxStreamDuration', { maxStreamDuration: 0 }, 'maxStreamDuration must be a whole number of milliseconds'],
  ['maxBodyBytes', { maxBodyBytes: 0.5 }, 'maxBodyBytes must be a whole number above 0, received 0.5'],
  ['maxVariants', { maxVariants: 0 }, 'maxVariants must be a whole number above 0, received 0'],
  ['maxWaiters', { maxWaiters: '1' }, 'maxWaiters must be a whole number above 0, received "1"'],
])('%s that cannot be honoured is refused at once', (_name, options, message) => {
  expect(() => singleFlight(options as never)).toThrow(message)
})
