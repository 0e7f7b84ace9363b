import { test } from 'vitest'

import { expectScores, FULL_SET } from './expectations.ts'
import { runSuite } from './run.ts'

test(
  'http-cache-tests, with all options: the scores hold for a handler that uses setHeader',
  { timeout: 120_000 },
  async () => {
    expectScores(await runSuite('setHeader', FULL_SET.options), FULL_SET)
  },
)
