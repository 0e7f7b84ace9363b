import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { Interest } from '../../../../src/cache/local/interest.ts'
import { partOf } from '../../../../src/store/key-part.ts'

describe('Interest', () => {
  let said: string[]
  let interest: Interest
  beforeEach(() => {
    said = []
    interest = interestIn(2)
  })

  function interestIn(most: number): Interest {
    return new Interest(
      { hear: (part) => void said.push(`+${part}`), leave: (part) => void said.push(`-${part}`) },
      most,
    )
  }
  const [a, b, c] = ['a', 'b', 'c'].map(partOf) as [string, string, string]

  it('listens to a part once, from the first that is held there, and goes on when nothing is', () => {
    for (const key of ['a', 'a', 'b']) interest.add(key)
    for (const key of ['a', 'b', 'a']) interest.remove(key)
    interest.add('a')
    expect(said).toEqual([`+${a}`, `+${b}`])
  })

  it('gives the place of what has held nothing for longest to another part', () => {
    for (const key of ['a', 'b']) interest.add(key)
    for (const key of ['b', 'a']) interest.remove(key)
    interest.add('c')
    expect(said.slice(2)).toEqual([`-${b}`, `+${c}`])
  })

  it('does not listen to more parts than it may, until one holds nothing', () => {
    for (const key of ['a', 'b', 'c']) interest.add(key)
    expect(said).toEqual([`+${a}`, `+${b}`])
    expect(interest.noteHeard([c], 1).size).toBe(0)
    interest.remove('a')
    interest.add('c')
    expect(said.slice(2)).toEqual([`-${a}`, `+${c}`])
  })

  it('knows since when it hears of a key: anew if it has left the part meanwhile', () => {
    interest.add('a')
    expect(interest.heardSince('a')).toBe(Infinity)
    expect([...interest.noteHeard([a, b], 7)]).toEqual([a])
    expect([...interest.noteHeard([a], 8)]).toEqual([])
    expect(interest.heardSince('a')).toBe(7)
    expect(interest.heardSince('b')).toBe(Infinity)
    interest.remove('a')
    for (const key of ['b', 'c', 'a']) interest.add(key)
    expect(interest.heardSince('a')).toBe(Infinity)
  })

  it('listens to every part that holds something if there is room for all, and never to more than it may', () => {
    const keys = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 60 })
    fc.assert(
      fc.property(keys, fc.integer({ min: 1, max: 5 }), (steps, most) => {
        said = []
        const interest = interestIn(most)
        const held: string[] = []
        for (const key of steps) {
          const at = held.indexOf(key)
          if (at === -1 || held.length < 3) {
            held.push(key)
            interest.add(key)
          } else {
            held.splice(at, 1)
            interest.remove(key)
          }
        }
        const heard = new Set<string>()
        const sizes = said.map((word) => {
          const part = word.slice(1)
          return word.startsWith('+') ? heard.add(part).size : Number(heard.delete(part)) - 1
        })
        expect(sizes.every((size) => size >= 0 && size <= most)).toBe(true)
        const missing = held.map(partOf).filter((part) => !heard.has(part))
        expect(most === 5 ? missing : []).toEqual([])
      }),
    )
  })
})
