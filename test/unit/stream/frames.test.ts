import { describe, expect, it } from 'vitest'
import {
  readChunk,
  readEnd,
  readHead,
  readMessage,
  writeChunk,
  writeEnd,
  writeHead,
} from '../../../src/stream/frames.ts'

describe('a frame', () => {
  it.each([
    ['text'],
    [''],
    ['é\n'],
    ['\ud83d'],
    [0],
    [null],
    [{ e: 'h' }],
    [[1]],
    [new Uint8Array([101])],
    [new Date(0)],
  ])('gives back the chunk %j, and is neither head nor end', (chunk) => {
    const frame = writeChunk(chunk)
    expect(readChunk(frame)).toEqual(chunk)
    expect([readHead(frame), readEnd(frame)]).toEqual([undefined, undefined])
  })

  it('tells the head and the end', () => {
    const head = { run: 'token', beganAt: 1796027397806358 }
    const failure = { name: 'Error', message: 'no', origin: 'here:1', limit: ['maxBytes', 1] as const }
    expect(readHead(Buffer.from(writeHead(head)))).toEqual({ ...head, resumptions: [] })
    expect(readHead(Buffer.from('h["run",5,7,"a",9,"b"]'))).toEqual({
      ...{ run: 'run', beganAt: 5 },
      resumptions: [
        { from: 7, by: 'a' },
        { from: 9, by: 'b' },
      ],
    })
    expect(readEnd(writeEnd({}))).toEqual({})
    expect(readEnd(writeEnd({ failure }))).toEqual({ failure })
    expect(readHead(writeEnd({}))).toBeUndefined()
  })
})

describe('a message', () => {
  it('carries frames, whatever is in them, and the number of the first', () => {
    const frames = ['', ' ', '3:abc', '\n12:'].map((text) => writeChunk(text))
    const payload = Buffer.concat([
      Buffer.from('41 '),
      ...frames.flatMap((frame) => [Buffer.from(`${frame.length}:`), frame]),
    ])
    expect(readMessage(payload)).toEqual({ index: 41, frames })
  })

  it('may say only that there is something to be read', () => {
    expect(readMessage(Buffer.alloc(0))).toBeUndefined()
  })
})
