/** @import { Figures } from '../report.ts' */
import { byId, syncTable } from './dom.js'
import { count, time, visible } from './format.js'

/** What the `detail` of Cache-Status means. */
const MEANINGS = new Map(
  Object.entries({
    authorization: 'The request has Authorization, and the response is not public.',
    bypass: 'The option bypass leaves such requests out.',
    cookie: 'The request has cookies, and the response is not public.',
    'csp-nonce': 'The policy of the response has a nonce, which is for one page.',
    'event-stream': 'The response is a stream of events, and not said to be for others.',
    'fills-full': 'Responses under way take up all of maxFillBytes.',
    head: 'The response to HEAD is to be validated each time.',
    key: 'The option key leaves such requests out.',
    'last-event-id': 'The request resumes a stream of events, and gets what it has missed.',
    'must-understand': 'Cache-Control has must-understand, and the status has no meaning for a cache.',
    'no-cache': 'Cache-Control has no-cache, and the response has neither ETag nor Last-Modified.',
    'no-freshness': 'The response does not say how long it is fresh, and there is no option ttl for it.',
    'no-store': 'Cache-Control, or Surrogate-Control, has no-store.',
    'other-validator': 'The handler validated another response than the one that is stored.',
    private: 'Cache-Control has private.',
    'set-cookie': 'The response sets a cookie.',
    'set-cookie2': 'The response sets a cookie.',
    stale: 'The response was stale when it came, and cannot be validated.',
    status: 'A response of this status is about the one request.',
    'too-large': 'The response is larger than maxBodyBytes.',
    'too-slow': 'The response took longer than loadTimeout.',
    trailer: 'The response has trailers.',
    vary: 'The response has Vary: *.',
  }),
)

/** Why responses were not shared: of a middleware's cache. @param {Figures} now */
export function showUnshared({ unshared }) {
  byId('unshared-card').hidden = unshared.length === 0
  syncTable('unshared', unshared, ({ reason, times, at }) => [
    { kind: 'key' },
    { tag: 'warn', text: visible(reason) },
    { kind: 'message', text: MEANINGS.get(reason) ?? '' },
    { kind: 'number', text: count(times) },
    { kind: 'time', text: time(at) },
  ])
}
