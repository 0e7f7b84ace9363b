import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

import express from 'express'

import { ask, open } from './client.ts'
import { naiveCache } from './naive-cache.ts'
import type { PlainHandler, ServeOptions } from './serve.ts'

type Middleware = (req: IncomingMessage, res: ServerResponse, next: () => void) => void
interface App {
  (cache: Middleware): (req: IncomingMessage, res: ServerResponse) => void
  /** Of an app that is nothing but a handler. */
  handler?: PlainHandler
}

export interface Attack {
  /** What the victim asks for is harmed if this says so. */
  name: string
  app: () => App
  /** Resolves with whether somebody got what is not meant for them. */
  succeeds: (url: string) => Promise<boolean>
  options?: ServeOptions
  naive?: () => Middleware
  /** It needs what Node's requests alone have. */
  ofNode?: true
}

/** A bare server: `handler` behind the cache. */
function bare(handler: PlainHandler): () => App {
  const app: App = (cache) => (req, res) => cache(req, res, () => void handler(req, res))
  return () => Object.assign(app, { handler })
}

function behindExpress(build: (app: express.Express) => void): () => App {
  return () => (cache) => {
    const app = express()
    app.set('env', 'test')
    app.use(cache as never)
    build(app)
    return app as unknown as (req: IncomingMessage, res: ServerResponse) => void
  }
}

const MINUTE = 60_000

export const attacks: readonly Attack[] = [
  ...['X-Forwarded-Host', 'X-Host', 'X-Original-Host', 'Forwarded'].map((field) => ({
    name: `a page about the attacker's host, by ${field}, with trust in proxies`,
    app: behindExpress((app) => {
      app.set('trust proxy', true)
      app.get('/', (req, res) => {
        const host = req.headers[field.toLowerCase()] ?? req.hostname
        res.set('Cache-Control', 'public, max-age=60').send(`<script src="//${String(host)}/app.js"></script>`)
      })
    }),
    async succeeds(url: string) {
      await ask(url, { headers: { [field]: 'host=evil.example' } })
      return (await ask(url)).body.includes('evil.example')
    },
  })),
  ...['X-Original-URL', 'X-Rewrite-URL'].map((field) => ({
    name: `another page than the URL says, by ${field}`,
    app: bare((req, res) => {
      res.setHeader('Cache-Control', 'public, max-age=60')
      res.end(`page ${String(req.headers[field.toLowerCase()] ?? req.url)}`)
    }),
    async succeeds(url: string) {
      await ask(`${url}/home`, { headers: { [field]: '/logout' } })
      return (await ask(`${url}/home`)).body !== 'page /home'
    },
  })),
  {
    name: 'a page about the attacker, by a field of the application that is in keyHeaders',
    app: bare((req, res) => {
      res.setHeader('Cache-Control', 'public, max-age=60')
      res.end(`theme ${String(req.headers['x-theme'] ?? 'default')}`)
    }),
    options: { keyHeaders: ['X-Theme'] },
    async succeeds(url) {
      await ask(url, { headers: { 'X-Theme': 'evil' } })
      return (await ask(url)).body !== 'theme default'
    },
  },
  ...['/account/x.css', '/account;x.css', '/static/..%2faccount', '/account%2fx.js'].map((path) => ({
    name: `a private page that looks like a file: ${path}`,
    app: bare((req: IncomingMessage, res: ServerResponse) => {
      // As frameworks do it that match prefixes and decode.
      if (decodeURIComponent(String(req.url)).includes('account'))
        res.end(`account of ${req.headers.cookie ?? 'nobody'}`)
      else res.end('public')
    }),
    options: { ttl: MINUTE },
    async succeeds(url: string) {
      await ask(url + path, { headers: { Cookie: 'victim' } })
      return (await ask(url + path)).body.includes('victim')
    },
  })),
  {
    name: 'a private page that says nothing about caching, asked for by two users one after the other',
    app: bare((req, res) => res.end(`account of ${req.headers.authorization ?? 'nobody'}`)),
    options: { ttl: MINUTE },
    async succeeds(url) {
      await ask(url, { headers: { Authorization: 'victim' } })
      return (await ask(url, { headers: { Authorization: 'attacker' } })).body.includes('victim')
    },
  },
  {
    name: 'a session cookie for everybody',
    app: bare((_req, res) => {
      res.setHeader('Cache-Control', 'public, max-age=60')
      res.setHeader('Set-Cookie', 'session=victim')
      res.end('page')
    }),
    async succeeds(url) {
      await ask(url)
      const answer = await ask(url)
      return answer.headers['cache-status']?.includes('hit') ?? (await ask(url)).headers['set-cookie'] !== undefined
    },
  },
  {
    name: 'users who ask at the same time',
    app: bare(async (req, res) => {
      await delay(50)
      res.setHeader('Cache-Control', 'private')
      res.end(String(req.headers['x-user']))
    }),
    async succeeds(url) {
      const users = Array.from({ length: 40 }, (_, index) => `user ${index}`)
      const answers = users.map((user) => ask(url, { headers: { 'X-User': user } }))
      return (await Promise.all(answers)).some(({ body }, index) => body !== users[index])
    },
  },
  ...(
    [
      ['an oversized field', { 'X-Large': 'x'.repeat(9000) }, 400],
      ['a meta character', { 'X-Meta': 'a\tb' }, 400],
      ['an overridden method', { 'X-HTTP-Method-Override': 'POST' }, 405],
      ['a payload that crashes the handler', { 'X-Payload': 'boom' }, 500],
    ] as const
  ).map(([name, headers, status]) => ({
    name: `an error page for everybody, by ${name}`,
    app: bare((req: IncomingMessage, res: ServerResponse) => {
      const isOdd = Object.keys(headers).some((field) => req.headers[field.toLowerCase()] !== undefined)
      res.statusCode = isOdd ? status : 200
      res.end('page')
    }),
    options: { ttl: MINUTE },
    async succeeds(url: string) {
      await ask(url, { headers: { ...headers } })
      return (await ask(url)).status !== 200
    },
  })),
  {
    name: 'half a page for everybody, because the first client left',
    ofNode: true, // a connection
    app: () => {
      let runs = 0
      return bare((req, res) => {
        res.setHeader('Cache-Control', 'max-age=60')
        res.write('first half, ')
        if (++runs > 1) res.end('second half')
        // Waits for its client, as everybody does who works for somebody.
        else req.socket.once('close', () => setImmediate(() => res.end('second half')))
      })()
    },
    async succeeds(url) {
      const first = open(url)
      await first.response
      first.leave()
      await delay(50)
      return (await ask(url)).body !== 'first half, second half'
    },
  },
  {
    name: 'half a page for everybody, because the handler sent less than it announced',
    app: () => {
      let runs = 0
      return bare((_req, res) => {
        res.setHeader('Cache-Control', 'max-age=60')
        if (++runs > 1) res.end('whole page')
        else {
          res.setHeader('Content-Length', 10)
          res.write('whole')
          setTimeout(() => {
            res.end()
            res.socket?.destroy()
          }, 10)
        }
      })()
    },
    async succeeds(url) {
      await ask(url)
      return (await ask(url)).body !== 'whole page'
    },
  },
  {
    name: 'half a page for everybody, because the handler broke off',
    app: () => {
      let runs = 0
      return bare((_req, res) => {
        res.setHeader('Cache-Control', 'max-age=60')
        if (++runs > 1) res.end('whole page')
        else {
          res.write('whole')
          setTimeout(() => res.destroy(), 10)
        }
      })()
    },
    async succeeds(url) {
      await ask(url)
      return (await ask(url)).body !== 'whole page'
    },
  },
  {
    name: 'an answer to the body of a GET',
    ofNode: true, // such a body
    app: bare(async (req, res) => {
      let body = ''
      for await (const chunk of req) body += String(chunk)
      res.setHeader('Cache-Control', 'max-age=60')
      res.end(`results for ${body || 'nothing'}`)
    }),
    async succeeds(url) {
      await ask(`${url}/search`, { body: 'evil', headers: { 'Content-Length': '4' } })
      return (await ask(`${url}/search`)).body.includes('evil')
    },
  },
  ...(
    [
      [
        'a cloaked parameter',
        '/?q=good&utm_content=x;q=evil',
        '/?q=good',
        (url: string) => url.replace(/&utm_content=[^&]*/, ''),
      ],
      ['a repeated parameter', '/?q=good&q=evil', '/?q=good', (url: string) => url.replace(/(q=[^&]*)&q=.*/, '$1')],
      ['a NUL', '/page%00evil', '/page', (url: string) => decodeURIComponent(url).split('\0')[0] ?? ''],
      ['an encoded slash', '/a%2fb?evil', '/a/b?evil', (url: string) => decodeURIComponent(url)],
      ['another case', '/PAGE', '/page', (url: string) => url.toLowerCase()],
      [
        'parameters in another order',
        '/?b=2&a=1',
        '/?a=1&b=2',
        (url: string) => url.split(/[?&]/).toSorted().join('&'),
      ],
    ] as const
  ).map(([name, evil, good, normalise]) => ({
    name: `a page of another URL, by ${name}`,
    app: bare((req: IncomingMessage, res: ServerResponse) => {
      res.setHeader('Cache-Control', 'max-age=60')
      res.end(req.url)
    }),
    naive: () => naiveCache((req) => normalise(String(req.url))),
    async succeeds(url: string) {
      await ask(url + evil)
      return (await ask(url + good)).body !== good
    },
  })),
  {
    name: 'a page of another key, by a delimiter in a keyed field',
    app: bare((req, res) => {
      res.setHeader('Cache-Control', 'max-age=60')
      res.end(`${String(req.headers['x-a'])}|${String(req.headers['x-b'])}`)
    }),
    options: { keyHeaders: ['X-A', 'X-B'] },
    naive: () => naiveCache((req) => `${req.url}:${String(req.headers['x-a'])}:${String(req.headers['x-b'])}`),
    async succeeds(url) {
      await ask(url, { headers: { 'X-A': '1:2', 'X-B': '3' } })
      return (await ask(url, { headers: { 'X-A': '1', 'X-B': '2:3' } })).body !== '1|2:3'
    },
  },
  {
    name: 'a member of Object.prototype as a URL',
    app: bare((_req, res) => {
      res.setHeader('Cache-Control', 'max-age=60')
      res.end('page')
    }),
    naive: () => {
      const kept: Record<string, string> = {}
      return (req, res, next) => {
        const found = kept[String(req.url).slice(1)]
        if (found === undefined) next()
        else res.end(String(found))
      }
    },
    async succeeds(url) {
      const paths = ['__proto__', 'constructor', 'toString']
      const answers = await Promise.all(paths.map((path) => ask(`${url}/${path}`)))
      return answers.some(({ body }) => body !== 'page')
    },
  },
  {
    name: 'a part of a page for everybody, because somebody asked for a part first',
    app: behindExpress((app) => {
      app.get('/', (req, res) => {
        res.set('Cache-Control', 'max-age=60').set('Accept-Ranges', 'bytes')
        if (req.headers.range !== undefined) res.status(206).set('Content-Range', 'bytes 0-3/10').send('0123')
        else res.send('0123456789')
      })
    }),
    async succeeds(url) {
      const part = await ask(url, { headers: { Range: 'bytes=0-3' } })
      const whole = await ask(url)
      return part.status !== 206 || part.body !== '0123' || whole.status !== 200 || whole.body !== '0123456789'
    },
  },
  {
    name: 'nothing but 304 for everybody, because somebody asked conditionally first',
    app: behindExpress((app) => {
      app.get('/', (_req, res) => res.set('Cache-Control', 'max-age=60').set('ETag', '"1"').send('page'))
    }),
    async succeeds(url) {
      const conditional = await ask(url, { headers: { 'If-None-Match': '"1"' } })
      const whole = await ask(url)
      return conditional.status !== 304 || whole.status !== 200 || whole.body !== 'page'
    },
  },
]
