import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'

import { expect, test } from 'vitest'

import { lastingBody } from '../../../../src/middleware/koa/lasting-body.ts'

const hasLeft = (): boolean => true
const noted = () => {
  const times = { over: 0 }
  return { times, note: () => void times.over++ }
}
const textOf = (body: ReadableStream<Uint8Array>): Promise<string> => new Response(body).text()

test('reads nothing before somebody wants it', async () => {
  let reads = 0
  const source = new Readable({
    read() {
      reads++
      this.push(reads > 1 ? null : 'text')
    },
  })
  const { times, note } = noted()
  const body = lastingBody(source, hasLeft, note)
  expect([reads, times.over]).toEqual([0, 0])
  expect(await textOf(body)).toBe('text')
  expect([source.destroyed, times.over]).toEqual([true, 1])
})

test('who destroys the stream of a client that has left does not stop who reads; an error does', async () => {
  const source = new PassThrough()
  const reader = lastingBody(source, hasLeft, () => {}).getReader()
  source.write('one')
  expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('one')
  source.destroy()
  source.write('two')
  expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('two')
  const next = reader.read()
  source.destroy(new Error('broken'))
  await expect(next).rejects.toThrow('broken')
})

test('a handler that destroys its stream while the client is there cuts it', async () => {
  const source = new PassThrough()
  const reader = lastingBody(
    source,
    () => false,
    () => {},
  ).getReader()
  const next = reader.read()
  source.destroy()
  await expect(next).rejects.toThrow()
})

test('a stream that nobody wants any more is destroyed, read or not', async () => {
  for (const isRead of [true, false]) {
    const { times, note } = noted()
    const source = new PassThrough()
    const reader = lastingBody(source, hasLeft, note).getReader()
    source.write('one')
    if (isRead) await reader.read()
    const closed = once(source, 'close')
    await reader.cancel()
    await closed
    expect(times.over).toBe(1)
  }
})

test('takes streams of the web, and cancels them', async () => {
  expect(await textOf(lastingBody(new Blob(['web']).stream(), hasLeft, () => {}))).toBe('web')
  for (const isRead of [true, false]) {
    let reason: unknown = 'none'
    const source = new ReadableStream({
      pull: (controller) => controller.enqueue(Buffer.from('x')),
      cancel: (given) => void (reason = given),
    })
    const reader = lastingBody(source, hasLeft, () => {}).getReader()
    if (isRead) await reader.read()
    await reader.cancel()
    await expect.poll(() => reason).toBeUndefined()
  }
})
