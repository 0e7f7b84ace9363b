import {
  type ExecutionContext,
  type CallHandler,
  Inject,
  mixin,
  type NestInterceptor,
  SetMetadata,
  UseInterceptors,
} from '@nestjs/common'

import { resolveOptions } from '../middleware/options.ts'
import { type Middleware, singleFlight } from '../middleware/node/single-flight.ts'
import { Cache } from './cache-token.ts'
import { exchangeOf } from './exchange-of.ts'
import { type FlightOptions, type HerdlockOptions, OPTIONS } from './options.ts'

type Intercepted = ReturnType<NestInterceptor['intercept']>

/** Set on handlers that are excluded. */
const STAYS_OUT = 'herdlock.staysOut'
/** Nest's own metadata key of `@Sse()`. */
const SSE = '__sse__'
/** Nest's own metadata key of `@Version()` and `@Controller({ version })`. */
const VERSION = '__version__'

/**
 * One run of a handler serves every request that arrives meanwhile, in this process and, if the cache of `HerdlockModule`
 * has Redis, in all processes. GET and HEAD are answered from that cache. Use it on a controller or on a handler. The
 * options of a handler override those of its controller; `false` excludes a handler. Obeys Cache-Control as a shared
 * cache: RFC 9111.
 *
 * Guards run for every request. Pipes and inner interceptors run only when the handler runs. An `@Sse()` handler is left
 * alone: Nest begins to answer before it asks interceptors.
 *
 * @throws TypeError or RangeError for options that cannot be honoured
 */
export function SingleFlight(options: FlightOptions | false = {}): ClassDecorator & MethodDecorator {
  if (options === false) return SetMetadata(STAYS_OUT, true)
  resolveOptions(options)

  class FlightInterceptor implements NestInterceptor {
    readonly #cache: Cache
    readonly #options: FlightOptions
    /** By version. */
    readonly #flights = new Map<string, Middleware>()

    constructor(cache: Cache, defaults: HerdlockOptions) {
      this.#cache = cache
      this.#options = { ...defaults.singleFlight, ...options }
    }

    async intercept(context: ExecutionContext, next: CallHandler): Promise<Awaited<Intercepted>> {
      if (context.getType() !== 'http' || staysOut(context.getHandler())) return next.handle()
      const flight = this.#flightFor(versionOf(context))
      const { req, res, goOn } = exchangeOf(context)
      // Does not return for a request that is answered without its handler.
      await new Promise<void>((resolve) => flight(req, res, () => resolve()))
      goOn()
      return next.handle()
    }

    /** Versions of a handler may share a URL, but never an answer. */
    #flightFor(version: string): Middleware {
      let flight = this.#flights.get(version)
      if (flight === undefined) {
        const cache = version === '' ? this.#cache : this.#cache.namespace(`version:${version}`)
        this.#flights.set(version, (flight = singleFlight({ ...this.#options, cache })))
      }
      return flight
    }
  }
  Inject(Cache)(FlightInterceptor, undefined, 0)
  Inject(OPTIONS)(FlightInterceptor, undefined, 1)
  return UseInterceptors(mixin(FlightInterceptor))
}

/** Excluded by its own decorator, or answered by Nest at once. */
function staysOut(handler: ReturnType<ExecutionContext['getHandler']>): boolean {
  return [STAYS_OUT, SSE].some((key) => Reflect.hasMetadata(key, handler))
}

/** The version of the handler; empty if it has none. */
function versionOf(context: ExecutionContext): string {
  const ofHandler: unknown = Reflect.getMetadata(VERSION, context.getHandler())
  const version = ofHandler ?? (Reflect.getMetadata(VERSION, context.getClass()) as unknown)
  return version === undefined ? '' : [version].flat().map(String).join()
}
