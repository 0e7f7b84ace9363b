import { createServer } from 'node:http'

import { describe, expect, test } from 'vitest'

import { attacks } from './support/attacks.ts'
import { naiveCache } from './support/naive-cache.ts'
import { listen, makeFlight } from './support/serve.ts'

describe.each(attacks.map((attack) => [attack.name, attack] as const))('%s', (_name, attack) => {
  test('works on a naive cache', async () => {
    const { url } = await listen(createServer(attack.app()(attack.naive?.() ?? naiveCache())))
    expect(await attack.succeeds(url)).toBe(true)
  })

  test('fails on ours', async () => {
    const { flight } = makeFlight(attack.options)
    const { url } = await listen(createServer(attack.app()(flight)))
    expect(await attack.succeeds(url)).toBe(false)
  })
})
