import { expect, test } from 'vitest'

import { attacks } from './support/attacks.ts'
import { serve } from './support/serve.ts'

const applicable = attacks.filter(({ app, ofNode }) => ofNode !== true && app().handler !== undefined)

test('most attacks apply', () => {
  expect(applicable.length).toBeGreaterThan(20)
})

test.each(applicable.map((attack) => [attack.name, attack] as const))('%s fails on fetch', async (_name, attack) => {
  const { handler } = attack.app()
  if (handler === undefined) throw new Error('not applicable')
  const { url } = await serve(handler, attack.options, 'fetch')
  expect(await attack.succeeds(url)).toBe(false)
})
