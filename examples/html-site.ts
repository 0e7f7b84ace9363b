// How do I share the pages of a site between its visitors, but never those of people who are signed in?
//
// Look at: the line that mounts the flight. Whoever is signed in goes past it; everybody else shares one page.
// Run:     npm run example examples/html-site.ts
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import ejs from 'ejs'
import express from 'express'
import session from 'express-session'
import { createCache, singleFlight } from 'herdlock'

declare module 'express-session' {
  interface SessionData {
    user: string
  }
}

const cache = createCache({ ttl: 60_000 })
const app = express()
app.use(express.urlencoded())
// `saveUninitialized: false`: no cookie before there is something to remember. A page that sets one is never shared.
app.use(session({ secret: 'change me', resave: false, saveUninitialized: false }))

// Above the flight: it would forget the page that a form redirects to, although signing in changes nothing for others.
app.post('/sign-in', (request, response, next) => {
  const { user } = request.body as { user: string } // here a password would be checked
  request.session.regenerate((error) => {
    if (error) return next(error)
    request.session.user = user
    response.redirect('/')
  })
})
app.post('/sign-out', (request, response, next) => {
  request.session.destroy((error) => (error ? next(error) : response.redirect('/')))
})

// `ttl` instead of Cache-Control in the handlers: we keep the pages, browsers do not, so that after signing in nobody
// sees the old page. `ignoreCookies`: visitors bring cookies of analytics and the like, on which no page depends.
const flight = singleFlight({ cache, ttl: 10_000, staleWhileRevalidate: 60_000, ignoreCookies: true })
app.use((request, response, next) => (request.session.user === undefined ? flight(request, response, next) : next()))

const page = ejs.compile(
  '<h1>News</h1><p><% if (user) { %>Hello <%= user %><% } else { %><a href="/sign-in">Sign in</a><% } %></p>',
)
let renders = 0
app.get('/', async (request, response) => {
  renders++
  await delay(100) // queries, templates
  response.type('html').send(page({ user: request.session.user }))
})

const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

/** Asks for the home page many times at once, and says how often it was rendered and what it said. */
async function visit(who: string, cookies: readonly string[]): Promise<void> {
  renders = 0
  const pages = cookies.map(async (cookie) => (await fetch(url, { headers: { cookie } })).text())
  const texts = new Set((await Promise.all(pages)).map((html) => html.replace(/<h1>.*<\/h1>|<[^>]+>/g, '')))
  console.log(`${who}: ${cookies.length} requests, ${renders} renders, pages: ${[...texts].toSorted().join(' / ')}`)
}

async function signIn(user: string): Promise<string> {
  const body = new URLSearchParams({ user })
  const response = await fetch(`${url}/sign-in`, { method: 'POST', body, redirect: 'manual' })
  return (response.headers.getSetCookie()[0] ?? '').replace(/;.*/, '')
}

const visitors = Array.from({ length: 20 }, (_, index) => `analytics=${index}`)
await visit('visitors', visitors)

const ada = await signIn('Ada')
await visit('visitors, Ada and Grace', [...visitors, ada, await signIn('Grace'), ada])
await visit('visitors afterwards', visitors)

await fetch(`${url}/sign-out`, { method: 'POST', headers: { cookie: ada } })
await visit('Ada, signed out', [ada])

server.close()
server.closeAllConnections()
await cache.close()
