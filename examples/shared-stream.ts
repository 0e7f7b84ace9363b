// How do I ask a language model once for what many want to read as it is written?
//
// Look at: `stream`; a reader who comes late gets at once what has been said; the end is cached; nobody reads, nobody pays.
// Run:     npm run example examples/shared-stream.ts
//          With REDIS_URL the readers may be in any process.
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createCache } from 'herdlock'
import { Redis } from 'ioredis'

/** A stand-in for a model: says one word after the other, to everyone who asks, and charges for each. */
let asked = 0
let words = 0
async function tell(response: ServerResponse): Promise<void> {
  asked++
  for (const word of 'Once upon a time a herd was told a story'.split(' ')) {
    if (response.destroyed) return
    words++
    response.write(`${word} `)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  response.end()
}
const model = createServer((_request, response) => void tell(response)).listen(0)
await once(model, 'listening')
const url = `http://localhost:${(model.address() as AddressInfo).port}`

const { REDIS_URL } = process.env
const redis = REDIS_URL === undefined ? undefined : new Redis(REDIS_URL)
const cache = createCache({ ttl: 60_000, prefix: 'shared-stream-example', redis })

function story(title: string) {
  return cache.stream(title, async function* ({ signal }) {
    const { body } = await fetch(url, { signal })
    if (body !== null) yield* body.pipeThrough(new TextDecoderStream())
  })
}

async function read(title: string): Promise<string> {
  let text = ''
  for await (const piece of story(title)) text += piece
  return text
}

const first = story('herd')[Symbol.asyncIterator]()
console.log('the first word comes first:', (await first.next()).value)
const readers = await Promise.all(Array.from({ length: 100 }, () => read('herd')))
console.log('100 readers:', new Set(readers).size, 'text:', readers[0])
console.log('asked:', asked)

// As the body of a response, and from the cache.
console.log('later:', await new Response(story('herd').readable()).text())
console.log('asked:', asked)

// A reader who leaves, the only one, ends the request.
for await (const _ of story('another')) break
await new Promise((resolve) => setTimeout(resolve, 300))
console.log('asked:', asked, '| paid for all words of the second:', words >= 20)

await cache.clear()
await cache.close()
await redis?.quit()
model.close()
