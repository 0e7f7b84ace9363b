import { EventEmitter } from 'node:events'
import { expect, it } from 'vitest'
import { ClientState } from '../../../src/redis/client-state.ts'
import { IoredisPort } from '../../../src/redis/clients/ioredis.ts'
import type { IoredisClient } from '../../../src/redis/clients/ioredis-client.ts'
import { FakeClock } from '../../support/fake-clock.ts'

/** A client that goes through the stages of its connection as the test says, and its state. */
function make({ status = 'connecting', listened = true } = {}) {
  const clock = new FakeClock()
  const client = Object.assign(new EventEmitter(), { status, options: { host: 'here', port: 1 } })
  if (listened) client.on('error', () => {})
  const port = new IoredisPort(client as unknown as IoredisClient)
  const state = ClientState.of(port, clock)
  const go = (...stages: string[]): void => {
    for (const stage of stages) {
      client.status = stage
      client.emit(stage)
    }
  }
  return { clock, client, port, state, go }
}

it('knows no failure while the client connects for the first time, or has not begun to', () => {
  for (const status of ['wait', 'connecting', 'connect']) {
    const { state } = make({ status })
    expect(state.failure).toBeUndefined()
    expect(state.isConnecting).toBe(true)
  }
})

it('knows a failure from the first attempt that fails to the next that succeeds', () => {
  const { client, state, go } = make()
  const refused = new Error('connect ECONNREFUSED')
  client.emit('error', refused)
  go('close', 'reconnecting')
  expect(state.failure).toBe(refused)
  go('connecting', 'connect')
  expect(state.failure).toBe(refused)
  go('ready')
  expect(state.failure).toBeUndefined()
})

it('counts a loss as none until the attempt that follows it has failed', () => {
  const { state, go } = make({ status: 'ready' })
  go('close', 'reconnecting', 'connecting')
  expect(state.failure).toBeUndefined()
  go('close', 'reconnecting')
  expect(state.failure?.message).toBe('redis here:1 is not connected')
})

it('begins anew when a client that has ended is connected again', () => {
  const { client, state, go } = make()
  client.emit('error', new Error('refused'))
  go('close', 'end')
  expect(state.failure?.message).toBe('refused')
  go('connecting')
  expect(state.failure).toBeUndefined()
})

it('takes an error for a reason for ten seconds', async () => {
  const { clock, client, state } = make({ status: 'ready' })
  const error = new Error('of one node')
  client.emit('node error', error)
  expect(state.recentError).toBe(error)
  await clock.advance(10_000)
  expect(state.recentError).toBeUndefined()
})

it('takes the password out of what it keeps', () => {
  const { client, state } = make()
  const error = Object.assign(new Error('WRONGPASS'), { command: { name: 'auth', args: ['secret'] } })
  client.emit('error', error)
  expect(JSON.stringify(state.recentError)).not.toContain('secret')
})

it('learns from the socket why an attempt has failed where nobody listens to errors', () => {
  const { client, state, go } = make({ listened: false })
  const refused = new Error('connect ECONNREFUSED')
  Object.assign(client, { stream: { errored: refused } })
  go('close', 'reconnecting')
  expect(state.failure).toBe(refused)
})

it('does not listen to errors in a way that would keep ioredis from printing them', () => {
  const { client } = make({ listened: false })
  expect(client.listenerCount('error')).toBe(0)
})

it('is one for all who use a client, and leaves it when the last has', () => {
  const { client, port, state, clock } = make()
  const listeners = (): number => client.listenerCount('ready') + client.listenerCount('end')
  expect(ClientState.of(port, clock)).toBe(state)
  expect(listeners()).toBe(2)
  state.leave()
  expect(listeners()).toBe(2)
  state.leave()
  expect(listeners()).toBe(0)
})
