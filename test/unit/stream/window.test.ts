import { describe, expect, it } from 'vitest'
import type { Chunk } from '../../../src/stream/chunk.ts'
import { Window } from '../../../src/stream/window.ts'

const makeChunk = (frame: Buffer): Chunk => ({ frame, read: () => frame.toString().trim() })
const frameOf = (index: number): Buffer => Buffer.from(String(index).padEnd(10_000))

function filled(count: number, asked: number[] = []): Window {
  const window = new Window('run', makeChunk, async (index) => {
    asked.push(index)
    return [frameOf(index), frameOf(index + 1)]
  })
  for (let i = 0; i < count; i++) window.push(frameOf(i))
  return window
}

describe('the window on a run', () => {
  it('keeps the latest chunks, by their number, within a bound', () => {
    const window = filled(1000)
    expect(window.length).toBe(1000)
    const kept = window.length - window.from
    expect(kept * 10_000).toBeLessThanOrEqual(256 * 1024)
    expect(kept).toBeGreaterThan(20)
    expect(window.chunks).toHaveLength(kept)
    for (let i = 0; i < 1000; i++) expect(window.at(i)?.read()).toBe(i < window.from ? undefined : String(i))
    expect(window.at(1000)).toBeUndefined()
  })

  it('keeps one that is larger than the bound, as long as it is the last', () => {
    const window = filled(3)
    window.push(Buffer.alloc(1024 * 1024))
    expect(window.from).toBe(3)
    expect(window.at(3)).toBeDefined()
  })

  it('reads for those who lag behind in step once', async () => {
    const asked: number[] = []
    const window = filled(1000, asked)
    const read = await Promise.all([7, 7, 8].map((index) => window.fetch(index)))
    expect(read.map((chunks) => chunks.map((chunk) => chunk.read()))).toEqual([
      ['7', '8'],
      ['7', '8'],
      ['8', '9'],
    ])
    expect(asked).toEqual([7, 8])
    await window.fetch(7)
    expect(asked).toEqual([7, 8, 7])
  })
})
