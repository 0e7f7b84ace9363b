import { test } from 'vitest'

import { expectScores, DEFAULTS } from './expectations.ts'
import { runSuite } from './run.ts'

test(
  'http-cache-tests, with the defaults: the scores hold for a handler that uses setHeader',
  { timeout: 120_000 },
  async () => {
    expectScores(await runSuite('setHeader', DEFAULTS.options), DEFAULTS)
  },
)
