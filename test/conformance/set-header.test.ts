import { test } from 'vitest'

import { expectScores } from './expectations.ts'
import { runSuite } from './run.ts'

test('http-cache-tests: the scores hold for a handler that uses setHeader', { timeout: 120_000 }, async () => {
  expectScores(await runSuite('setHeader'))
})
