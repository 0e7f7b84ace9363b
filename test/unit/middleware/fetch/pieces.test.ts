import { expect, test } from 'vitest'

import { piecesOf } from '../../../../src/middleware/fetch/pieces.ts'

function bodyOf(...pieces: unknown[]): ReadableStream {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece)
      controller.close()
    },
  })
}

test('copies of bytes and strings, then nothing', async () => {
  const bytes = new Uint8Array([1, 2])
  const pieces = piecesOf(bodyOf(bytes, 'é'))
  const first = await pieces.next()
  bytes.fill(0)
  expect([first, await pieces.next(), await pieces.next()]).toEqual([Buffer.from([1, 2]), Buffer.from('é'), undefined])
})

test('anything else is refused', async () => {
  await expect(piecesOf(bodyOf(1)).next()).rejects.toThrow(
    'the body of a Response must consist of Uint8Arrays, received a value of type number',
  )
})

test('cancelled, the one who writes is told, and a failure of that is nobody’s', async () => {
  let reason: unknown = 'none'
  const pieces = piecesOf(
    new ReadableStream({
      cancel(own) {
        reason = own
        throw new Error('not seen')
      },
    }),
  )
  pieces.cancel()
  await new Promise(setImmediate)
  expect(reason).toBeUndefined()
})
