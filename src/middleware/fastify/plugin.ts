import type { ServerResponse } from 'node:http'

import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'

import type { Cache } from '../../cache/cache.ts'
import { systemClock } from '../../clock.ts'
import { wrongType } from '../../errors.ts'
import { systemRandom } from '../../random.ts'
import { createMiddleware, type Middleware, type SingleFlightOptions } from '../node/single-flight.ts'
import type { Doors } from '../reception.ts'

/** Options of one route. They override those of the plugin. The route's responses are in the plugin's cache. */
export interface RouteFlightOptions extends Omit<SingleFlightOptions, 'cache'> {
  cache?: undefined
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Added by the plugin `herdlock/fastify`. */
    readonly herdlock: {
      /** Where the responses are: for `invalidate`, `clear`, `stats`, `on`. */
      readonly cache: Cache
    }
  }
  interface FastifyContextConfig {
    /** `false`: the plugin ignores the requests of this route. Otherwise, the options for them. */
    singleFlight?: false | RouteFlightOptions | undefined
  }
}

type OnRequest = (request: FastifyRequest, reply: FastifyReply, next: () => void) => void

/**
 * The plugin that answers GET and HEAD from a cache. One handler run serves all requests that arrive meanwhile, in this
 * process and, with Redis in the cache, in all others. Obeys the Cache-Control of answers as a shared cache: RFC 9111.
 * Acts on the routes of the scope that registers it, and of the scopes below.
 *
 * Fails to register with a TypeError or RangeError for options that cannot be honoured.
 */
export const herdlock: FastifyPluginAsync<SingleFlightOptions> = createPlugin({
  clock: systemClock,
  random: systemRandom,
})

/** `herdlock` with the caller's clock and random source. */
export function createPlugin(doors: Doors): FastifyPluginAsync<SingleFlightOptions> {
  const plugin: FastifyPluginAsync<SingleFlightOptions> = async (scope, options) => {
    const flight = createMiddleware(options, doors)
    const { cache } = flight
    const ofRoutes = new Map<RouteFlightOptions, Middleware>()

    /** The middleware of a route, chosen by its `config`. */
    function flightFor(own: false | RouteFlightOptions | undefined): Middleware | undefined {
      if (own === undefined) return flight
      if (own === false) return undefined
      if (typeof own !== 'object' || own === null) throw wrongType('config.singleFlight', 'false or an object', own)
      if (own.cache !== undefined) throw wrongType('config.singleFlight.cache', 'left to the plugin', own.cache)
      const known = ofRoutes.get(own)
      if (known !== undefined) return known
      const made = createMiddleware({ ...options, ...own, cache }, doors)
      ofRoutes.set(own, made)
      return made
    }

    const onRequest: OnRequest = (request, reply, next) => {
      const middleware = flightFor(request.routeOptions.config.singleFlight)
      if (middleware === undefined) return next()
      const takeBack = showFields(reply)
      middleware(request.raw, reply.raw, () => {
        takeBack()
        next()
      })
    }
    scope.decorate('herdlock', { cache })
    scope.addHook('onRoute', ({ config }) => void flightFor(config?.singleFlight))
    scope.addHook('onRequest', onRequest)
    scope.addHook('onClose', async () => {
      for (const each of [...ofRoutes.values(), flight]) await each.close()
    })
  }
  // As fastify-plugin does: the plugin acts on the scope that registers it, and Fastify's version is checked.
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: 'herdlock',
    [Symbol.for('plugin-meta')]: { name: 'herdlock', fastify: '5.x' },
  })
}

/**
 * Copies to Node's response the fields that earlier hooks have set on the reply. Fastify keeps them until the handler's
 * answer goes out. The returned function undoes this.
 */
function showFields(reply: FastifyReply): () => void {
  const res: ServerResponse = reply.raw
  const before = res.getHeaders()
  const fields = Object.entries(reply.getHeaders()).filter(([name, value]) => value !== before[name])
  for (const [name, value] of fields) if (value !== undefined) res.setHeader(name, value)
  return () => {
    for (const [name] of fields) {
      const value = before[name]
      if (value === undefined) res.removeHeader(name)
      else res.setHeader(name, value)
    }
  }
}
