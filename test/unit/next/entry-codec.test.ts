import { describe, expect, it } from 'vitest'
import { entryCodec, type StoredEntry } from '../../../src/next/entry-codec.ts'

const entry: StoredEntry = {
  ...{ tags: ['ü', 'b'], stale: 1.5, expire: Infinity, revalidate: 600, timestamp: 1_700_000_000_000.25 },
  body: new Uint8Array([0, 255, 10]),
}
const withHead = (head: string, body = ''): Uint8Array => {
  const json = Buffer.from(head)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(json.length)
  return Buffer.concat([Buffer.from([1]), length, json, Buffer.from(body)])
}

describe('entryCodec', () => {
  it('brings back what was encoded', () => {
    const back = entryCodec.decode(entryCodec.encode(entry))
    expect({ ...back, body: new Uint8Array(back.body) }).toEqual(entry)
  })

  it('reads a view on a larger buffer', () => {
    const bytes = entryCodec.encode(entry)
    const larger = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('after')])
    expect(entryCodec.decode(larger.subarray(6, 6 + bytes.length)).body).toHaveLength(3)
  })

  it.each([
    ['nothing', new Uint8Array(), 'not an entry of this version'],
    ['another version', Buffer.from([2, 0, 0, 0, 0]), 'not an entry of this version'],
    ['a head that is cut', entryCodec.encode(entry).subarray(0, 20), 'the entry is truncated'],
    ['a head that is no JSON', withHead('{'), 'JSON'],
    ['tags that are no texts', withHead('{"tags":[1]}'), 'its tags are malformed'],
    ['times that are no numbers', withHead('{"tags":[],"stale":"1"}'), 'its times are malformed'],
  ])('refuses %s', (_what, bytes, message) => {
    expect(() => entryCodec.decode(bytes)).toThrow(message)
  })
})
