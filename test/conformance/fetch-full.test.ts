import { test } from 'vitest'

import { FULL_SET, expectScores } from './expectations.ts'
import { runSuite } from './run.ts'

test(
  'http-cache-tests, with all options: the scores hold for a handler that answers with a Response',
  { timeout: 120_000 },
  async () => {
    expectScores(await runSuite('fetch', FULL_SET.options), FULL_SET)
  },
)
