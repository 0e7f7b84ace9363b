import { Hono } from 'hono'
import { expect, test } from 'vitest'

import type { HonoContext, HonoHandler } from '../../../../src/middleware/hono/hono-context.ts'
import { onOwnContext } from '../../../../src/middleware/hono/own-context.ts'

type Again = ReturnType<typeof onOwnContext>

/** An app with a layer that notes how what comes after it can be run once more. */
function noting(mount: (app: Hono, layer: HonoHandler) => void, app = new Hono()) {
  let again: Again
  const layer: HonoHandler = async (context, next) => {
    again = onOwnContext(context, layer, [['x-outer', 'yes']])
    await next()
  }
  mount(app, layer)
  return async (path: string, ...rest: unknown[]): Promise<NonNullable<Again> | undefined> => {
    await (await app.request(path, {}, ...(rest as []))).text()
    return again
  }
}

const request = new Request('http://a.example/page/2')

test('what comes after a layer runs once more, on a context of its own', async () => {
  let runs = 0
  const ask = noting((app, layer) => {
    app.use(async (context, next) => {
      context.set('user' as never, 'Ada' as never)
      await next()
    })
    app.use(layer as never)
    app.use(async (context, next) => {
      await next()
      context.header('X-Inside', 'yes')
    })
    app.get('/page/:id', (context) =>
      context.text(`run ${++runs} of ${context.req.param('id')} for ${String(context.get('user' as never))}`),
    )
  })
  const again = await ask('/page/2')
  const response = await again?.(request)
  expect([response?.headers.get('x-outer'), response?.headers.get('x-inside'), await response?.text()]).toEqual([
    ...['yes', 'yes', 'run 2 of 2 for Ada'],
  ])
})

test('with what its host has given', async () => {
  const kept: unknown[] = []
  const ask = noting((app, layer) => {
    app.use(layer as never)
    app.get('/page', (context) => {
      context.executionCtx.waitUntil(Promise.resolve())
      return context.json(context.env)
    })
  })
  const again = await ask('/page', { KEY: 'value' }, { waitUntil: (work: unknown) => kept.push(work) })
  expect([await (await again?.(request))?.json(), kept.length]).toEqual([{ KEY: 'value' }, 2])
})

test('what nothing answers is not found, by the app’s own words', async () => {
  const ask = noting(
    (app, layer) => void app.use(layer as never),
    new Hono().notFound((context) => context.text('nothing here', 404)),
  )
  const response = await (await ask('/page'))?.(request)
  expect([response?.status, await response?.text()]).toEqual([404, 'nothing here'])
})

test('a layer of a sub-app with an error handler of its own is found', async () => {
  const ask = noting((app, layer) => {
    const sub = new Hono().onError((error, context) => context.text(error.message))
    sub.use(layer as never)
    sub.get('/', (context) => context.text('page'))
    app.route('/sub', sub)
  })
  expect(await (await (await ask('/sub'))?.(request))?.text()).toBe('page')
})

test('the place of a layer that another one calls cannot be told', async () => {
  const ask = noting((app, layer) => {
    app.use((context, next) => layer(context as HonoContext, next) as Promise<void>)
    app.get('/page', (context) => context.text('page'))
  })
  expect(await ask('/page')).toBeUndefined()
})
