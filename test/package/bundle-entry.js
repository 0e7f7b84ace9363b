// What an application bundles: every part of the package but the command, used once. REDIS_URL says where Redis is.
import { createServer } from 'node:http'
import { compressed, createCache, Locker, singleFlight } from 'herdlock'
import { dashboard } from 'herdlock/dashboard'
import { instrument } from 'herdlock/opentelemetry'
import { collect } from 'herdlock/prometheus'
import { Redis } from 'ioredis'

async function main() {
  const redis = new Redis(process.env.REDIS_URL)
  const prefix = process.env.PREFIX
  const cache = createCache({ ttl: 1000, redis, prefix, codec: compressed() })
  const value = await cache.getOrRefill('key', () => ({ date: new Date(0) }), { tags: ['tag'] })
  await cache.invalidateTags('tag')
  const locker = new Locker({ clients: redis })
  await locker.withLock(`${prefix}-lock`, 1000, () => {})
  const stop = instrument({ caches: [cache] })
  const forget = collect(cache)

  const flight = singleFlight({ ttl: 1000 })
  const page = dashboard({ caches: [cache], path: '/page', authorize: () => true })
  const server = createServer((request, response) =>
    page(request, response, () => flight(request, response, () => response.end('answer'))),
  )
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const texts = []
  for (const path of ['/', '/page/', '/page/style.css', '/page/app.js']) {
    const response = await fetch(`http://127.0.0.1:${server.address().port}${path}`)
    texts.push([response.status, (await response.text()).length > 5])
  }
  server.close()
  server.closeAllConnections()

  page.close()
  forget()
  stop()
  await flight.close()
  await locker.close()
  await cache.close()
  await redis.quit()
  console.log(JSON.stringify({ year: value.date.getFullYear(), texts }))
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
