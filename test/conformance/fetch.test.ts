import { test } from 'vitest'

import { DEFAULTS, expectScores } from './expectations.ts'
import { runSuite } from './run.ts'

test(
  'http-cache-tests, with the defaults: the scores hold for a handler that answers with a Response',
  { timeout: 120_000 },
  async () => {
    expectScores(await runSuite('fetch', DEFAULTS.options), DEFAULTS)
  },
)
