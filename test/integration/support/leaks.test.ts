import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import { connectedClients, expectNoLeaks, snapshotResources } from '../../support/leaks.ts'
import { startRedis } from '../../support/redis-server.ts'
import { connectResp } from '../../support/resp.ts'

it('finds a socket left open, and finds nothing once it is closed', async () => {
  const before = snapshotResources()
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')

  await expect(expectNoLeaks(before, ['TCPServerWrap'])).rejects.toThrow('leaked: 1 TCPServerWrap')
  server.close()
  await expectNoLeaks(before, ['TCPServerWrap'])
})

it('lists the clients of a server, but not the one that asks', async () => {
  const server = await startRedis()
  expect(await connectedClients(server)).toEqual([])

  const client = await connectResp(server)
  await client.command('CLIENT', 'SETNAME', 'reader')
  const subscriber = await connectResp(server)
  await subscriber.command('SUBSCRIBE', 'channel')
  expect(await connectedClients(server)).toEqual([
    expect.objectContaining({ name: 'reader', sub: 0 }),
    expect.objectContaining({ cmd: 'subscribe', sub: 1 }),
  ])

  client.close()
  subscriber.close()
  await expect.poll(() => connectedClients(server)).toEqual([])
  await server.stop()
})
