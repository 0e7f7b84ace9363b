import { expect, test } from 'vitest'

import { Client, NOBODY } from '../../../../src/middleware/fetch/client.ts'

test('gets one answer', async () => {
  const client = new Client(new AbortController().signal)
  expect(client.isOver).toBe(false)
  const response = new Response('first')
  client.answer(response)
  client.answer(new Response('second'))
  client.fail(new Error('late'))
  expect(await client.response).toBe(response)
  expect([client.isOver, client.hasLeft]).toEqual([true, false])
})

test('gets an error', async () => {
  const client = new Client(new AbortController().signal)
  client.fail(new Error('out of order'))
  await expect(client.response).rejects.toThrow('out of order')
})

test('that leaves has its reason, and whoever asked is told', async () => {
  const left = new AbortController()
  const client = new Client(left.signal)
  const told: unknown[] = []
  client.whenGone((reason) => told.push(reason))
  left.abort('gone')
  client.answer(new Response())
  await expect(client.response).rejects.toBe('gone')
  client.whenGone((reason) => told.push(reason))
  expect([client.isOver, client.hasLeft, told]).toEqual([true, true, ['gone', 'gone']])
})

test('nobody takes anything and never leaves', () => {
  NOBODY.answer(new Response())
  NOBODY.fail(new Error('not seen'))
  NOBODY.whenGone(() => expect.unreachable())
  expect(NOBODY.hasLeft).toBe(false)
})
