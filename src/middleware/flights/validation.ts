import type { Cache } from '../../cache/cache.ts'
import type { FillContext, FillSurroundings } from '../fill/fill-parts.ts'
import { Fill } from '../fill/fill.ts'
import { storedCodec } from '../stored/stored-codec.ts'
import type { StoredResponse } from '../stored/stored-response.ts'
import type { Exchange } from './exchange.ts'

interface ValidationHost {
  readonly cache: Cache
  readonly surroundings: FillSurroundings
  runAlone(exchange: Exchange, detail: string): void
}

/**
 * Answers one request with a response that must be validated before each reuse. The request's own handler is asked
 * whether it is still good, and a 304 sends the stored body. No other request waits for this or shares the answer: only
 * the handler can tell whether the response is for the next request too (RFC 9111 section 5.2.2.4).
 */
export function validate(exchange: Exchange, stored: StoredResponse, host: ValidationHost): void {
  const { cache, surroundings } = host
  const { clock } = surroundings
  let fill: Fill
  try {
    const parts = { exchange, hasClient: true, forOthers: false, context: aboutStored(stored), host: NOBODY }
    fill = new Fill(parts, surroundings)
  } catch {
    // A request or response of a kind that is unknown here. Its own handler may know it.
    host.runAlone(exchange, 'gave-up')
    return
  }
  fill.start()
  fill.result.then(
    (response) => {
      if (response?.mustValidate === true && isNews(response, stored, clock.wallNow())) {
        keepForValidation(cache, fill, response)
      } else if (response?.mustValidate === false || fill.disownsStored) {
        // The stored response no longer holds: the next request must find nothing and share its answer with others.
        cache.invalidate(exchange.key).catch(() => {})
      }
    },
    () => {
      if (stored.mayServeOnError(clock.wallNow())) fill.answerWith(stored)
      else fill.giveHandlersAnswer()
    },
  )
}

/**
 * Stores a response at its request's key. If an invalidation came before, this does no harm: the response is validated
 * before it is sent.
 */
export function keepForValidation(cache: Cache, { exchange, keptFor }: Fill, response: StoredResponse): void {
  if (keptFor === undefined) return
  const options = { codec: storedCodec as never, ...keptFor }
  cache.set(exchange.key, response, options).catch(() => {}) // Redis's failures are reported by the cache's own events
}

function aboutStored(stored: StoredResponse): FillContext {
  return { stale: stored, signal: new AbortController().signal, cacheFor: () => {}, doNotShare: () => {} }
}

const NOBODY = { onShare: (): void => {}, onUnshared: (): void => {} }

/** ms after which a stored response is written again although the handler has changed only its Date. */
const RENEWAL = 60_000

function isNews(response: StoredResponse, stored: StoredResponse, now: number): boolean {
  return (
    response.body !== stored.body || now - stored.respondedAt > RENEWAL || withoutDate(response) !== withoutDate(stored)
  )
}

function withoutDate({ fields }: StoredResponse): string {
  let text = ''
  for (let index = 0; index + 1 < fields.length; index += 2) {
    if (fields[index]?.toLowerCase() !== 'date') text += `${fields[index]}: ${fields[index + 1]}\n`
  }
  return text
}
