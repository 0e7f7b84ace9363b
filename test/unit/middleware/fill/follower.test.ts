import { setImmediate as nextTurn } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { Follower, FROM_THE_START, type PlaceInLog } from '../../../../src/middleware/fill/follower.ts'
import type { Outlet } from '../../../../src/middleware/fill/sink.ts'
import { collectGarbage } from '../../../support/collect-garbage.ts'

class FakeOutlet implements Outlet {
  readonly got: string[] = []
  isFull = false

  write(chunk: Buffer): boolean {
    this.got.push(chunk.toString())
    return !this.isFull
  }

  flush(): void {
    this.got.push('flush')
  }

  end(last?: Buffer): void {
    this.got.push(last === undefined ? 'end' : `${last.toString()}, end`)
  }

  cut(): void {
    this.got.push('cut')
  }
}

/** A follower of a log that has these pieces already. */
function follow(...pieces: string[]) {
  return followFrom(FROM_THE_START, ...pieces)
}

function followFrom(from: PlaceInLog, ...pieces: string[]) {
  const outlet = new FakeOutlet()
  const log = pieces.map((piece) => Buffer.from(piece))
  const told: string[] = []
  const open = (): Outlet => outlet
  const follower: Follower = new Follower(
    open,
    log,
    from,
    (changed) => void told.push(changed.isFull ? 'full' : 'ready'),
    () => void told.push('gone'),
  )
  return { follower, outlet, log, told, more: (piece: string) => void log.push(Buffer.from(piece)) }
}

test('it begins with what there is, and goes on as the log grows', () => {
  const { follower, outlet, more } = follow('a', 'b')
  expect(outlet.got).toEqual(['a', 'b'])
  more('c')
  follower.advance()
  follower.advance()
  expect(outlet.got).toEqual(['a', 'b', 'c'])
})

test('one that is full is written nothing until it drains, and then all that has come', () => {
  const { follower, outlet, told, more } = follow()
  outlet.isFull = true
  more('a')
  more('b')
  follower.advance()
  expect([outlet.got, told, follower.isFull]).toEqual([['a'], ['full'], true])
  outlet.isFull = false
  follower.onDrain()
  expect([outlet.got, told, follower.isFull]).toEqual([['a', 'b'], ['full', 'ready'], false])
})

test('one that is full again while it drains has not changed', () => {
  const { follower, outlet, told, more } = follow()
  outlet.isFull = true
  for (const piece of ['a', 'b', 'c']) more(piece)
  follower.advance()
  follower.onDrain()
  expect([outlet.got, follower.isFull]).toEqual([['a', 'b'], true])
  expect(told).not.toContain('ready')
})

test('a drain of one that was not full is no news', () => {
  const { follower, told } = follow('a')
  follower.onDrain()
  expect(told).toEqual([])
})

test('it ends when all is written, not before', () => {
  const { follower, outlet, more } = follow()
  outlet.isFull = true
  more('a')
  more('b')
  follower.end()
  expect(outlet.got).toEqual(['a'])
  follower.onDrain()
  expect(outlet.got).toEqual(['a', 'b, end'])
  follower.onDrain()
  follower.end()
  expect(outlet.got).toEqual(['a', 'b, end'])
})

test('once it has parted it keeps what it has still to write, and the log may go', () => {
  const { follower, outlet, log, more } = follow()
  outlet.isFull = true
  for (const piece of ['a', 'b', 'c']) more(piece)
  follower.advance()
  follower.part()
  log.length = 0
  follower.take(Buffer.from('d'), false)
  outlet.isFull = false
  follower.onDrain()
  follower.take(Buffer.from('e'), true)
  follower.end()
  expect(outlet.got).toEqual(['a', 'b', 'c', 'd', 'e, end'])
})

test('once it has parted it lets go of what it has written', async () => {
  const { follower } = follow()
  follower.part()
  const take = (piece: Buffer): WeakRef<Buffer> => {
    follower.take(piece, false)
    return new WeakRef(piece)
  }
  const written = take(Buffer.alloc(10))
  const last = take(Buffer.alloc(10))
  await nextTurn()
  collectGarbage()
  expect([written.deref(), last.deref()?.length]).toEqual([undefined, 10])
})

test.each([
  ['ended', (follower: Follower) => follower.end(), ['a', 'end']],
  ['cut', (follower: Follower) => follower.cut(), ['a', 'cut']],
  ['left', (follower: Follower) => follower.onClose(), ['a']],
])('one that has %s is written and cut no more', (_name, over, got) => {
  const { follower, outlet, more } = follow('a')
  over(follower)
  more('b')
  follower.advance()
  follower.flush()
  follower.end()
  follower.cut()
  expect(outlet.got).toEqual(got)
})

test('one that leaves while it is full is not full any more', () => {
  const { follower, outlet, told, more } = follow()
  outlet.isFull = true
  more('a')
  follower.advance()
  follower.onClose()
  expect([follower.isFull, told]).toEqual([false, ['full', 'gone']])
})

test('a flush goes through, also while it is full', () => {
  const { follower, outlet, more } = follow()
  follower.flush()
  outlet.isFull = true
  more('a')
  follower.advance()
  follower.flush()
  expect(outlet.got).toEqual(['flush', 'a', 'flush'])
})
