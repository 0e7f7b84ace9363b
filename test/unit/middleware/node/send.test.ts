import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'

import { describe, expect, test } from 'vitest'

import { besideFieldsOf, hasLayersOutside, replyOn, send } from '../../../../src/middleware/node/send.ts'
import { narrowingRequest } from '../../../../src/middleware/request/narrowing.ts'
import type { FieldBlock } from '../../../../src/middleware/rules/fields.ts'
import { StoredResponse } from '../../../../src/middleware/stored/stored-response.ts'

interface Asked {
  method?: string
  headers?: Record<string, string>
  outer?: (res: ServerResponse) => void
}

function exchange({ method = 'GET', headers = {}, outer = () => {} }: Asked) {
  const req = new IncomingMessage(new Socket())
  req.method = method
  req.headers = headers
  req.httpVersionMajor = 1
  req.httpVersionMinor = 1
  const res = new ServerResponse(req)
  outer(res)
  return { res, request: narrowingRequest({ method, headers }) }
}

const encodes = (res: ServerResponse): void => {
  res.write = (() => true) as ServerResponse['write']
}

describe('a part where a layer outside encodes what is written', () => {
  test.each([
    ['all of it for a client that takes an encoding', 'gzip', {}, 200, 'body'],
    ['the part for a client that takes none', 'identity', {}, 206, 'od'],
    ['the part of what is encoded already', 'gzip', { 'Content-Encoding': 'gzip' }, 206, 'od'],
  ])('%s', (_name, accepted, fields, status, body) => {
    const { res, request } = exchange({ headers: { range: 'bytes=1-2', 'accept-encoding': accepted }, outer: encodes })
    const flat = Object.entries(fields).flat()
    const stored = new StoredResponse({
      ...{ status: 200, statusMessage: 'Fine', fields: flat, removed: [], joins: [], selecting: [] },
      ...{ body: Buffer.from('body'), respondedAt: 0, mustValidate: false, explicit: false },
      lifetime: { age: 0, freshness: 0, staleWhileRevalidate: 0, staleIfError: 0 },
    })
    const reply = replyOn(res, request, stored, flat)
    expect([reply.status, reply.body?.toString()]).toEqual([status, body])
  })
})

test('of the fields of layers outside, what the handler took away goes', () => {
  const { res } = exchange({ outer: (each) => each.setHeader('X-Powered-By', 'Express') })
  besideFieldsOf(res, { removed: ['x-powered-by'], joins: [] }, [])
  expect(res.getHeaderNames()).toEqual([])
})

describe('sent', () => {
  const answer = { status: 203, message: 'Other', fields: ['X-A', ['1', '2']] as FieldBlock, body: Buffer.from('body') }

  test('it is written at once where no layer is outside', () => {
    const { res } = exchange({})
    send(res, answer)
    expect([res.statusCode, res.statusMessage, res.headersSent, res.writableEnded]).toEqual([203, 'Other', true, true])
    expect(hasLayersOutside(res)).toBe(false)
  })

  test.each(['writeHead', 'write', 'end'] as const)(
    'a layer that has put its own %s sees all fields before',
    (name) => {
      const seen: unknown[] = []
      const { res } = exchange({
        outer: (each) => {
          const base = each[name] as (...args: unknown[]) => unknown
          Object.defineProperty(each, name, {
            value: (...args: unknown[]) => {
              seen.push([each.statusCode, each.getHeader('x-a')])
              return base.apply(each, args)
            },
          })
        },
      })
      expect(hasLayersOutside(res)).toBe(true)
      send(res, answer)
      expect([res.writableEnded, res.getHeader('x-a')]).toEqual([true, ['1', '2']])
      expect(seen.length > 0).toBe(name !== 'write')
      expect(seen.every((each) => JSON.stringify(each) === '[203,["1","2"]]')).toBe(true)
    },
  )

  test('over HTTP/2 it has no reason', () => {
    const { res } = exchange({ outer: (each) => (each.end = each.end.bind(each) as ServerResponse['end']) })
    res.req.httpVersionMajor = 2
    send(res, { ...answer, body: Buffer.alloc(0) })
    expect(res.statusMessage).not.toBe('Other')
  })
})
