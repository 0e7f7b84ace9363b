import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'

/** Counts the commands that reach Redis, without what scripts do inside it. Watching slows Redis down: time or count. */
export async function countCommands(url: string): Promise<{ stop(): Promise<number> }> {
  const redis = new Redis(url, { protocol: 2 } as object)
  const monitor = await redis.monitor()
  let commands = 0
  monitor.on('monitor', (_time, args: string[], source) => {
    if (source !== 'lua' && !/^(info|hello|client)$/i.test(args[0] ?? '')) commands++
  })
  return {
    async stop() {
      await redis.ping()
      await delay(20)
      monitor.disconnect()
      redis.disconnect()
      return commands - 1 // our own PING
    },
  }
}
