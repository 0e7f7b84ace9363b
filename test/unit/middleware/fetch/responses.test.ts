import { describe, expect, test } from 'vitest'

import {
  checkResponse,
  headersInit,
  headOf,
  relabelled,
  responseOf,
} from '../../../../src/middleware/fetch/responses.ts'

test('a head has each line of Set-Cookie by itself', () => {
  const response = new Response(null, { status: 203, statusText: 'Other', headers: { A: '1' } })
  response.headers.append('Set-Cookie', 'a=1')
  response.headers.append('Set-Cookie', 'b=2')
  const fields = ['a', '1', 'set-cookie', 'a=1', 'set-cookie', 'b=2']
  expect(headOf(response)).toEqual({ status: 203, message: 'Other', fields })
})

describe('relabelled', () => {
  test('has the same status, reason and body, and the fields beside the others', async () => {
    const response = new Response('body', { status: 404, statusText: 'Gone', headers: { A: '1', B: '2' } })
    const made = relabelled(response, [['B', '3']])
    expect([made.status, made.statusText, made.headers.get('a'), made.headers.get('b')]).toEqual([
      404,
      'Gone',
      '1',
      '3',
    ])
    expect(response.headers.get('b')).toBe('2')
    expect(await made.text()).toBe('body')
  })

  test.each([Response.error(), { status: 101 } as Response])('leaves what cannot be made anew', (response) => {
    expect(relabelled(response, [['A', '1']])).toBe(response)
  })
})

test.each([
  ['a body', 200, Buffer.from('body'), 'body'],
  ['no body', 200, undefined, ''],
  ['a status that takes none', 204, Buffer.from('body'), ''],
])('a reply with %s', async (_name, status, body, text) => {
  const response = responseOf({ status, message: 'Fine', fields: ['A', '1'], body })
  expect([response.status, response.statusText, response.headers.get('a')]).toEqual([status, 'Fine', '1'])
  expect(await response.text()).toBe(text)
})

test('fields of one line each make an object, others Headers', () => {
  expect(headersInit(['A', '1', 'B', '2'])).toEqual({ A: '1', B: '2' })
  const headers = headersInit(['A', ['1', '2'], 'Set-Cookie', ['a=1', 'b=2']]) as Headers
  expect([headers.get('a'), headers.getSetCookie()]).toEqual(['1, 2', ['a=1', 'b=2']])
})

test.each([[null], [{}], ['text'], [{ status: 200 }]])('%j is no response', (value) => {
  expect(() => checkResponse(value)).toThrow('the handler must answer with a Response, received')
})
