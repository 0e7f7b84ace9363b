import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Extension, Validity, validityEnd } from '../../../src/lock/validity.ts'

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('validity', () => {
  it.each([
    ['in their order', [0, 1]],
    ['the other way round', [1, 0]],
  ])('is that of the shorter extension that was sent last, when replies come %s', (_, order) => {
    const validity = new Validity(1000)
    const sent = [validity.send(0, 60_000, 'set'), validity.send(10, 200, 'set')]
    expect(validity.end).toBe(validityEnd(10, 200))
    for (const index of order) {
      validity.succeeded(sent[index] as Extension)
      expect(validity.end).toBe(validityEnd(10, 200))
    }
  })

  it('is that of the longer extension that was sent last, once that is answered', () => {
    const validity = new Validity(1000)
    const short = validity.send(0, 200, 'set')
    const long = validity.send(10, 60_000, 'set')
    validity.succeeded(short)
    expect(validity.end).toBe(validityEnd(0, 200))
    validity.succeeded(long)
    expect(validity.end).toBe(validityEnd(10, 60_000))
  })

  it('is that of the shorter one while nobody knows whether it will still be carried out', async () => {
    const validity = new Validity(1000)
    let tell!: () => void
    const short = validity.send(0, 200, 'set')
    validity.failed(short, new Promise<void>((resolve) => (tell = resolve)))
    validity.succeeded(validity.send(10, 60_000, 'set'))
    expect(validity.end).toBe(validityEnd(0, 200))
    tell()
    await settled()
    expect(validity.end).toBe(validityEnd(0, 200)) // it may have come last
    validity.succeeded(validity.send(20, 60_000, 'set'))
    expect(validity.end).toBe(validityEnd(20, 60_000))
  })

  it('is not shortened by a longer one that fails', () => {
    const validity = new Validity(1000)
    validity.failed(validity.send(0, 60_000, 'set'), undefined)
    expect(validity.end).toBe(1000)
  })
})

/** An extension of which the client knows only its reply, and Redis only its being carried out. */
interface Story {
  ttl: number
  may: 'set' | 'lengthen'
  /** ms between it and the one before, and from its sending to its being carried out, and from that to its reply. */
  pause: number
  there: number
  back: number
  /** A command whose reply the client gave up, and that is carried out this much later, behind others. Never: not at all. */
  ghost: number | 'never' | undefined
}

const story: fc.Arbitrary<Story> = fc.record({
  ttl: fc.integer({ min: 1, max: 400 }),
  may: fc.constantFrom('set' as const, 'set' as const, 'lengthen' as const),
  pause: fc.integer({ min: 0, max: 60 }),
  there: fc.integer({ min: 0, max: 50 }),
  back: fc.integer({ min: 0, max: 50 }),
  ghost: fc.option(fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constant('never' as const)), { nil: undefined }),
})

it('never exceeds what Redis has left, whatever is late, lost, or carried out after all', () => {
  fc.assert(
    fc.property(fc.array(story, { maxLength: 8 }), fc.integer({ min: 1, max: 400 }), (stories, ttl) => {
      const validity = new Validity(validityEnd(0, ttl))
      let redisEnd = ttl
      const events: { at: number; run: () => unknown }[] = []
      let now = 0
      let carriedOutAt = 0
      let repliedAt = 0
      for (const { ttl: extended, may, pause, there, back, ghost } of stories) {
        now += pause
        let sent: Extension | undefined
        const sentAt = now
        const carryOut = (at: number) => (): void => {
          if (sent === undefined || at >= redisEnd) return
          redisEnd = sent.shortens ? at + extended : Math.max(redisEnd, at + extended)
        }
        events.push({
          at: sentAt,
          run: () => {
            if (sentAt < validity.end) sent = validity.send(sentAt, extended, may)
          },
        })
        if (ghost === undefined) {
          // One connection carries commands out, and answers, in their order.
          const at = (carriedOutAt = Math.max(carriedOutAt, sentAt + there))
          repliedAt = Math.max(repliedAt, at + back)
          let isHeld = false
          events.push({ at, run: () => ((isHeld = at < redisEnd), carryOut(at)()) })
          events.push({ at: repliedAt, run: () => sent && isHeld && validity.succeeded(sent) })
        } else {
          events.push({ at: sentAt + there, run: () => sent && validity.failed(sent, undefined) })
          if (ghost !== 'never') events.push({ at: sentAt + ghost, run: carryOut(sentAt + ghost) })
        }
      }
      for (const { at, run } of events.toSorted((a, b) => a.at - b.at)) {
        // While the holder believes that it holds the lock, Redis has it for as long.
        expect(validity.end <= at || validity.end <= redisEnd).toBe(true)
        run()
        expect(validity.end <= at || validity.end <= redisEnd).toBe(true)
      }
    }),
    { numRuns: 3000 },
  )
})
