import type { RedisServer } from './redis-server.ts'
import { connectResp, type Reply } from './resp.ts'

/** Calls `listener` with each message that is published on these channels, until the returned function is called. */
export async function onPublished(
  server: Pick<RedisServer, 'host' | 'port'>,
  channels: readonly string[],
  listener: (channel: string, text: string) => void,
): Promise<() => void> {
  const connection = await connectResp(server)
  const read = (message: Reply): void => {
    const [, channel, text] = message as string[]
    listener(String(channel), String(text))
    connection.next().then(read, () => {})
  }
  await connection.command('SUBSCRIBE', ...channels)
  for (let more = 1; more < channels.length; more++) await connection.next()
  connection.next().then(read, () => {})
  return () => connection.close()
}
