import { expect } from 'vitest'

import type { Outcome, Report } from './run.ts'

/** Every test of the suite that does not pass, and why. A test that begins to pass must leave this list. */
const NOT_PASSED: Record<string, { outcome: Outcome; reason: string }> = {
  // Required ones: none fails outright. They cannot be judged, because what they build on is optional and not done.
  'stale-close-must-revalidate': unjudged(
    'a stale response is not sent for a failed origin unless it says stale-if-error',
  ),
  'stale-close-proxy-revalidate': unjudged(
    'a stale response is not sent for a failed origin unless it says stale-if-error',
  ),
  'stale-close-no-cache': unjudged('a stale response is not sent for a failed origin unless it says stale-if-error'),
  'stale-close-s-maxage=2': unjudged('a stale response is not sent for a failed origin unless it says stale-if-error'),
  'headers-store-Set-Cookie': notSetUp('responses with Set-Cookie are never shared'),
  'headers-store-Set-Cookie2': notSetUp('responses with Set-Cookie2 are never shared'),
  '304-etag-update-response-Set-Cookie': notSetUp('responses with Set-Cookie are never shared'),
  '304-etag-update-response-Set-Cookie2': notSetUp('responses with Set-Cookie2 are never shared'),
  // Optional ones.
  'method-POST': optional('responses to POST are not stored'),
  'vary-normalise-lang-order': optional('handlers choose the first of several languages of the same weight'),
  'vary-normalise-lang-select': optional('how the handler weighs languages is its own business'),
  'conditional-lm-fresh-no-lm': optional('the Date of the stored response is later than If-Modified-Since'),
  'partial-store-partial-reuse-partial': optional('handlers are asked for the whole, so there are no parts to store'),
  'partial-store-partial-reuse-partial-byterange': optional('handlers are asked for the whole'),
  'partial-store-partial-reuse-partial-absent': optional('handlers are asked for the whole'),
  'partial-store-partial-reuse-partial-suffix': optional('handlers are asked for the whole'),
  'partial-store-partial-complete': optional('handlers are asked for the whole'),
  'other-set-cookie': optional('responses with Set-Cookie are never shared'),
  'other-cookie': optional('a request with cookies gets only what is explicitly public'),
}

export function expectScores(report: Report): void {
  const notPassed = (results: Record<string, Outcome>) =>
    Object.fromEntries(Object.entries(results).filter(([, outcome]) => outcome !== 'pass'))
  const actual = { ...notPassed(report.required), ...notPassed(report.optimal) }
  const listed = Object.fromEntries(Object.entries(NOT_PASSED).map(([id, { outcome }]) => [id, outcome]))
  expect(actual).toEqual(listed)
  expect(Object.values(report.required)).toHaveLength(165)
  expect(Object.values(report.optimal)).toHaveLength(95)
  expect(Object.values(report.required)).not.toContain('fail')
  expect(Object.values(report.required).filter((outcome) => outcome === 'pass').length).toBeGreaterThanOrEqual(150)
  expect(Object.values(report.optimal).filter((outcome) => outcome === 'pass').length).toBeGreaterThanOrEqual(80)
}

function unjudged(reason: string): { outcome: Outcome; reason: string } {
  return { outcome: 'dependency', reason }
}

function notSetUp(reason: string): { outcome: Outcome; reason: string } {
  return { outcome: 'setup', reason }
}

function optional(reason: string): { outcome: Outcome; reason: string } {
  return { outcome: 'fail', reason }
}
