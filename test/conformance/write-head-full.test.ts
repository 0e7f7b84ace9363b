import { test } from 'vitest'

import { expectScores, FULL_SET } from './expectations.ts'
import { runSuite } from './run.ts'

test(
  'http-cache-tests, with all options: the scores hold for a handler that uses writeHead',
  { timeout: 120_000 },
  async () => {
    expectScores(await runSuite('writeHead', FULL_SET.options), FULL_SET)
  },
)
