/** What `npm run demo -- --help` prints. */
export const help = `herdlock demo: what singleFlight does to a herd

A real Express app has a slow endpoint: its handler asks a database, where a query takes 200 ms and 20 run at a time, as
in life. Another process opens 1000 connections and sends a request on each, three times over:

  1. without singleFlight, all at once
  2. with singleFlight, all at once, nothing stored yet
  3. with singleFlight, over two seconds, in which the stored response expires (staleWhileRevalidate)

usage: npm run demo               one server process, no Redis
       npm run demo -- --redis    four server processes that share a Redis and, by it, one handler run
       npm run demo -- --scene redis   Redis goes away under load, and comes back
       npm run demo -- --scene kill    a process is killed while it runs the handler for all
       npm run demo -- --requests 400  so many requests in each herd, a multiple of 100
       npm run demo -- --serve    a page on this machine: press "stampede" and watch; with herdlock's dashboard
       npm run demo -- --help     this text

The Redis is the one at REDIS_URL, but in scenes; or one of the demo's own, started from REDIS_SERVER_BIN, from the redis-server or
valkey-server on the PATH, or from a copy that is unpacked under node_modules/.cache (Debian and Ubuntu, no root).`
