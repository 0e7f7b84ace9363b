import { Writable } from 'node:stream'
import { expect, it } from 'vitest'
import { gatherWrites } from '../../../src/redis/gather-writes.ts'

function recorder(): { stream: Writable; writes: string[][] } {
  const writes: string[][] = []
  const stream = new Writable({
    decodeStrings: false,
    writev(chunks, done) {
      writes.push(chunks.map(({ chunk }) => String(chunk)))
      done()
    },
  })
  return { stream, writes }
}

it('lets what is written in one turn leave in one write', async () => {
  const { stream, writes } = recorder()
  for (const text of ['a', 'b', 'c']) {
    gatherWrites(stream)
    stream.write(text)
  }
  expect(writes).toEqual([])
  await new Promise((resolve) => setImmediate(resolve))
  expect(writes).toEqual([['a', 'b', 'c']])
  gatherWrites(stream)
  stream.write('d')
  await new Promise((resolve) => setImmediate(resolve))
  expect(writes).toEqual([['a', 'b', 'c'], ['d']])
})

it('leaves alone what has no stream to hold back', () => {
  gatherWrites(undefined)
  gatherWrites({} as Writable)
})
