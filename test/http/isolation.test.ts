import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'

import { describe, expect, test } from 'vitest'

import { open, readAll } from './support/client.ts'
import { Gate } from './support/gate.ts'
import { serve } from './support/serve.ts'

const PIECE = Buffer.alloc(2 ** 20, 'x')
/** More than the buffers of two sockets take. */
const PIECES = 24

async function* pieces(): AsyncIterable<Buffer> {
  for (let sent = 0; sent < PIECES; sent++) yield await Promise.resolve(PIECE)
}

async function writeAll(res: ServerResponse): Promise<void> {
  for (let sent = 0; sent < PIECES; sent++) if (!res.write(PIECE)) await once(res, 'drain')
  res.end()
}

/** Whether nothing has come since the last look. */
function stillness(): (received: number) => boolean {
  let before = 0
  return (received) => {
    const isStuck = received > PIECE.length && received === before
    before = received
    return isStuck
  }
}

describe('the client of a run stops reading a body that is too large to keep', () => {
  test.each([
    ['stays: it is cut', 'drain', 100],
    ['leaves', 'drain', 30_000],
    ['leaves', 'pipeline', 30_000],
  ] as const)('and %s; those who follow have all of it, by %s', async (what, how, stallTimeout) => {
    const gate = new Gate()
    const { url } = await serve(
      async (_req, res) => {
        res.setHeader('Cache-Control', 'max-age=60').write('first ')
        await gate.pass()
        await (how === 'drain' ? writeAll(res) : pipeline(pieces(), res))
      },
      { maxBodyBytes: 1000, stallTimeout },
    )
    const first = open(url)
    const answer = await first.response
    answer.on('error', () => {}) // it breaks off before it is read
    await gate.reached
    const follower = await open(url).response
    const isStuck = stillness()
    let received = 0
    follower.on('data', (chunk: Buffer) => (received += chunk.length))
    const ended = once(follower, 'end')
    gate.open()
    await expect.poll(() => what !== 'leaves' || isStuck(received)).toBe(true)
    if (what === 'leaves') first.leave()
    await ended
    expect([follower.complete, received]).toEqual([true, PIECES * PIECE.length + 6])
    expect((await readAll(answer)).complete).toBe(false)
  })
})
