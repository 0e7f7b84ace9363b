import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'

/**
 * Counts the commands that reach Redis, without what scripts do inside it. Watching slows Redis down: time or count.
 * On a socket of its own: ioredis takes what is reported in the same breath as the OK for replies, and throws.
 */
export async function countCommands(url: string): Promise<{ stop(): Promise<number> }> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const lines = createInterface({ input: socket })
  const mark = randomUUID()
  let commands = 0
  const seenMark = new Promise<void>((resolve) => {
    lines.on('line', (line) => {
      // +1339518083.107412 [0 127.0.0.1:60866] "keys" "*"
      const [, source, name] = /^\+[\d.]+ \[\d+ (\S+)\] "([^"]*)"/.exec(line) ?? []
      if (line.includes(mark)) resolve()
      else if (source !== undefined && source !== 'lua' && !/^(info|hello|client)$/i.test(name ?? '')) commands++
    })
  })
  socket.write('MONITOR\r\n')
  await once(lines, 'line')
  return {
    async stop() {
      const redis = new Redis(url, { protocol: 2 } as object)
      await redis.echo(mark)
      await seenMark
      redis.disconnect()
      socket.destroy()
      return commands
    },
  }
}
