import { describe, expect, test } from 'vitest'

import { ask } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { MOUNTS, serve, type ServeOptions, type Mount } from './support/serve.ts'

const USERS = ['alice', 'bob', 'carol']

/** A handler that waits for the gate when it runs. */
async function gated(control: string, options: ServeOptions, mount: Mount) {
  const seen = { runs: 0, gate: new Gate() }
  const served = await serve(
    async (req, res) => {
      seen.runs++
      await seen.gate.pass()
      res.setHeader('Cache-Control', control)
      res.end(control.startsWith('public') ? 'page' : `for ${req.headers.authorization}`)
    },
    options,
    mount,
  )
  const askAs = (user: string) => ask(served.url, { headers: { Authorization: user } })
  return { ...served, seen, askAs }
}

describe.each(MOUNTS)('requests with Authorization, %s', (mount) => {
  test('do not wait for one another, wave after wave', async () => {
    const { seen, askAs } = await gated('max-age=60', {}, mount)
    for (let wave = 1; wave <= 2; wave++) {
      seen.gate = new Gate()
      const answers = USERS.map(askAs)
      await expect.poll(() => seen.runs).toBe(wave * USERS.length)
      seen.gate.open()
      expect((await Promise.all(answers)).map(({ body }) => body)).toEqual(USERS.map((user) => `for ${user}`))
    }
  })

  test('wait for one run where the last answer was for others', async () => {
    const { seen, askAs, clock, url } = await gated('public, max-age=60', {}, mount)
    seen.gate.open()
    await askAs('alice')
    expect((await askAs('bob')).headers['cache-status']).toContain('hit')
    clock.skip(61_000)
    seen.gate = new Gate()
    const answers = USERS.map(askAs)
    await seen.gate.reached
    await ask(url, { headers: { Authorization: 'x', 'Cache-Control': 'only-if-cached' } })
    seen.gate.open()
    expect((await Promise.all(answers)).map(({ body }) => body)).toEqual(['page', 'page', 'page'])
    expect(seen.runs).toBe(2)
  })

  test('wait from the start with waitWithAuthorization', async () => {
    const { seen, askAs, url } = await gated('public, max-age=60', { waitWithAuthorization: true }, mount)
    const answers = USERS.map(askAs)
    await seen.gate.reached
    await ask(url, { headers: { Authorization: 'x', 'Cache-Control': 'only-if-cached' } })
    seen.gate.open()
    expect((await Promise.all(answers)).map(({ body }) => body)).toEqual(['page', 'page', 'page'])
    expect(seen.runs).toBe(1)
  })
})
