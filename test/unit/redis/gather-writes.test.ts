import { Writable } from 'node:stream'
import { expect, it } from 'vitest'
import { gatherWrites, writeThrough } from '../../../src/redis/gather-writes.ts'

function recorder(): { stream: Writable; writes: string[][] } {
  const writes: string[][] = []
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      writes.push([String(chunk)])
      done()
    },
    writev(chunks, done) {
      writes.push(chunks.map(({ chunk }) => String(chunk)))
      done()
    },
  })
  return { stream, writes }
}

it('lets what follows the first write of a turn leave in one write', async () => {
  const { stream, writes } = recorder()
  for (const text of ['a', 'b', 'c', 'd']) {
    stream.write(text)
    gatherWrites(stream)
  }
  expect(writes).toEqual([['a']])
  await new Promise((resolve) => setImmediate(resolve))
  expect(writes).toEqual([['a'], ['b', 'c', 'd']])
  stream.write('e')
  gatherWrites(stream)
  expect(writes).toEqual([['a'], ['b', 'c', 'd'], ['e']])
})

it('leaves alone what has no stream to hold back', () => {
  gatherWrites(undefined)
  gatherWrites({} as Writable)
})

it('lets go at the end of the turn although nextTick is faked', async () => {
  const { stream } = recorder()
  const { nextTick } = process
  process.nextTick = () => {}
  try {
    gatherWrites(stream)
  } finally {
    process.nextTick = nextTick
  }
  expect(stream.writableCorked).toBe(1)
  await new Promise((resolve) => setImmediate(resolve))
  expect(stream.writableCorked).toBe(0)
})

it('lets what was gathered leave at once where that is asked for, and gathers on', async () => {
  const { stream, writes } = recorder()
  for (const text of ['a', 'b']) {
    stream.write(text)
    gatherWrites(stream)
  }
  writeThrough(stream)
  expect(writes).toEqual([['a'], ['b']])
  for (const text of ['c', 'd']) {
    stream.write(text)
    gatherWrites(stream)
  }
  expect(writes).toEqual([['a'], ['b']])
  await new Promise((resolve) => setImmediate(resolve))
  expect(writes).toEqual([['a'], ['b'], ['c', 'd']])
})

it('has nothing to let leave where nothing was gathered', () => {
  const { stream } = recorder()
  writeThrough(stream)
  expect(stream.writableCorked).toBe(0)
})
