import type { Seen } from './answers.ts'
import type { Neighbour, Sharing, Style } from './neighbours.ts'
import type { Site } from './site.ts'

export interface Scene {
  name: string
  /** Only where this is true. */
  where?: (neighbour: Neighbour, style: Style) => boolean
  /** Plays it on a site, and tells what each client has seen. */
  play: (site: Site) => Promise<Seen[]>
  /** How often the handler runs. */
  runs: Record<Sharing, number>
  /** What Cache-Status says in each answer, where all clients share. */
  says?: RegExp[]
}

const MISS = /fwd=uri-miss;.*stored/
const HIT = /hit; ttl=\d/
const FOLLOWED = /collapsed/
/** More than the page is fresh. */
const EXPIRED_MS = 61_000

export const SCENES: readonly Scene[] = [
  {
    name: 'a miss',
    async play(site) {
      site.gate.open()
      return site.read(site.ask(1))
    },
    runs: { 'by all': 1, 'by client': 1, none: 1 },
    says: [MISS],
  },
  {
    name: 'hits',
    async play(site) {
      site.gate.open()
      const first = await site.read(site.ask(1))
      await site.stored(1)
      const second = await site.read(site.ask(2))
      return [...first, ...second, ...(await site.read(site.ask(3)))]
    },
    runs: { 'by all': 1, 'by client': 3, none: 3 },
    says: [MISS, HIT, HIT],
  },
  {
    name: 'a stale page, and what the run in the background has brought',
    async play(site) {
      site.gate.open()
      const first = await site.read(site.ask(1))
      await site.stored(1)
      site.skip(EXPIRED_MS)
      const stale = await site.read(site.ask(1))
      await site.stored(2)
      const second = await site.read(site.ask(2))
      return [...first, ...stale, ...second, ...(await site.read(site.ask(1)))]
    },
    runs: { 'by all': 2, 'by client': 3, none: 4 },
    says: [MISS, /hit; ttl=-/, HIT, HIT],
  },
  {
    name: 'a follower',
    async play(site) {
      const leader = site.ask(1)
      await site.runs.reached(1)
      const follower = site.ask(2)
      await site.waiting(2)
      site.gate.open()
      const together = await site.read(leader, follower)
      await site.stored(1)
      return [...together, ...(await site.read(site.ask(3)))]
    },
    runs: { 'by all': 1, 'by client': 3, none: 3 },
    says: [MISS, FOLLOWED, HIT],
  },
  {
    name: 'private pages of two users',
    async play(site) {
      const leader = site.ask(1, '/private')
      await site.runs.reached(1)
      const follower = site.ask(2, '/private')
      await site.waiting(2)
      site.gate.open()
      const together = await site.read(leader, follower)
      const again = await site.read(site.ask(2, '/private'))
      return [...together, ...again, ...(await site.read(site.ask(1, '/private')))]
    },
    runs: { 'by all': 4, 'by client': 4, none: 4 },
  },
  {
    name: 'a leader whose client leaves while another waits',
    async play(site) {
      const leader = site.ask(1)
      await site.runs.reached(1)
      const follower = site.ask(2)
      await site.waiting(2)
      const gone = site.gone(1)
      leader.leave()
      await gone
      site.gate.open()
      const first = await site.read(follower)
      await site.stored(1)
      return [...first, ...(await site.read(site.ask(3)))]
    },
    runs: { 'by all': 1, 'by client': 3, none: 3 },
    says: [FOLLOWED, HIT],
  },
  {
    name: 'a leader that times out while another waits',
    // Of a body that has begun, nobody could be told so.
    where: ({ name }, style) => name === 'connect-timeout' && style === 'sent',
    async play(site) {
      const leader = site.ask(1)
      await site.runs.reached(1)
      const follower = site.ask(2)
      await site.waiting(2)
      site.timeOut(1)
      const late = await site.read(leader)
      site.gate.open()
      const second = await site.read(follower)
      const third = await site.read(site.ask(3))
      await site.stored(1)
      return [...late, ...second, ...third, ...(await site.read(site.ask(1)))]
    },
    // The 503 and the answer of the released follower are not kept. The next answer is.
    runs: { 'by all': 3, 'by client': 4, none: 4 },
    says: [/fwd-status=503/, /unshared/, MISS, HIT],
  },
  {
    name: 'a client that has the page already',
    // Express makes an ETag only of what is sent at once.
    where: (_neighbour, style) => style === 'sent',
    async play(site) {
      site.gate.open()
      const first = await site.read(site.ask(1))
      await site.stored(1)
      const etag = /^etag: (.*)$/m.exec(first[0]?.fields.join('\n') ?? '')?.[1] ?? 'none'
      return [...first, ...(await site.read(site.ask(1, '/page', { 'If-None-Match': etag })))]
    },
    runs: { 'by all': 1, 'by client': 1, none: 2 },
    says: [MISS, HIT],
  },
  {
    name: 'posts',
    // They have one style of their own.
    where: (_neighbour, style) => style === 'sent',
    async play(site) {
      const json = await site.read(site.post(1, 'application/json', '{"a":[1]}'))
      const form = await site.read(site.post(1, 'application/x-www-form-urlencoded', 'a=1&b=2'))
      const parts = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'
      return [...json, ...form, ...(await site.read(site.post(1, 'multipart/form-data; boundary=x', parts)))]
    },
    runs: { 'by all': 0, 'by client': 0, none: 0 },
  },
]
