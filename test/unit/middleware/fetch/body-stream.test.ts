import { describe, expect, test } from 'vitest'

import { BodyStream, NoBody } from '../../../../src/middleware/fetch/body-stream.ts'

function listener() {
  const told: string[] = []
  return { told, onDrain: () => void told.push('drain'), onClose: () => void told.push('close') }
}

const settled = (): Promise<void> => new Promise(setImmediate)

describe('BodyStream', () => {
  test('hands on copies, says when it is full, and when it takes more', async () => {
    const heard = listener()
    const body = new BodyStream(heard)
    await settled()
    const piece = Buffer.alloc(40 * 1024, 'a')
    expect([body.write(piece), body.write(piece)]).toEqual([true, false])
    piece.fill(0)
    const reader = body.stream.getReader()
    heard.told.length = 0
    const { value } = await reader.read()
    expect(Buffer.from(value ?? []).toString()).toBe('a'.repeat(40 * 1024))
    await settled()
    expect(heard.told).toEqual(['drain'])
  })

  test('ends after its last piece, and is closed then', async () => {
    const heard = listener()
    const body = new BodyStream(heard)
    body.write(Buffer.alloc(0))
    body.end(Buffer.from('all'))
    body.end()
    body.cut()
    expect(await new Response(body.stream).text()).toBe('all')
    expect(heard.told.filter((each) => each === 'close')).toEqual(['close'])
  })

  test('whose reader has left takes everything', async () => {
    const heard = listener()
    const body = new BodyStream(heard)
    await body.stream.cancel()
    expect(body.write(Buffer.alloc(1_000_000))).toBe(true)
    body.end()
    await settled()
    expect(heard.told.filter((each) => each === 'close')).toEqual(['close'])
  })

  test('that is cut fails for its reader', async () => {
    const body = new BodyStream(listener())
    body.write(Buffer.from('half'))
    body.cut()
    await expect(new Response(body.stream).text()).rejects.toThrow('the rest of this response will not come')
    const failed = new BodyStream(listener())
    failed.fail(new Error('of the handler'))
    await expect(new Response(failed.stream).text()).rejects.toThrow('of the handler')
  })
})

test.each(['end', 'cut', 'fail'] as const)('NoBody takes everything, and is closed by %s', async (how) => {
  const heard = listener()
  const body = new NoBody(heard)
  expect([body.stream, body.write()]).toEqual([null, true])
  body.flush()
  body[how]()
  await settled()
  expect(heard.told).toEqual(['close'])
})
