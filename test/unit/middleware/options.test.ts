import { expect, test } from 'vitest'

import { singleFlight } from '../../../src/middleware/single-flight.ts'

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
  ['maxBodyBytes', { maxBodyBytes: 0.5 }, 'maxBodyBytes must be a whole number above 0, received 0.5'],
  ['maxVariants', { maxVariants: 0 }, 'maxVariants must be a whole number above 0, received 0'],
  ['maxWaiters', { maxWaiters: '1' }, 'maxWaiters must be a whole number above 0, received "1"'],
])('%s that cannot be honoured is refused at once', (_name, options, message) => {
  expect(() => singleFlight(options as never)).toThrow(message)
})
