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
 * Answers one request with a response that must be validated before each reuse: its own handler is asked whether it is
 * still good, and a 304 sends the stored body. Nobody waits for it or shares its answer: such a response says that it is
 * for the request at hand, and only the handler can tell whether it is for the next one too (RFC 9111 section 5.2.2.4).
 */
export function validate(exchange: Exchange, stored: StoredResponse, host: ValidationHost): void {
  const { cache, surroundings } = host
  const { clock } = surroundings
  let fill: Fill
  try {
    const parts = { exchange, hasClient: true, forOthers: false, context: aboutStored(stored), host: NOBODY }
    fill = new Fill(parts, surroundings)
  } catch {
    // A request or response of a kind that we do not understand: its own handler may.
    host.runAlone(exchange, 'gave-up')
    return
  }
  fill.start()
  fill.result.then(
    (response) => {
      if (response?.mustValidate === true && isNews(response, stored, clock.wallNow())) {
        keepForValidation(cache, fill, response)
      } else if (response?.mustValidate === false || fill.disownsStored) {
        // It says otherwise now: the next request shall find nothing and share its answer with others.
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
 * Stores a response at its request's key. One that is overtaken by an invalidation does no harm there: it is validated
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

/** ms after which a stored response is written anew although the handler has changed nothing but its Date. */
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
