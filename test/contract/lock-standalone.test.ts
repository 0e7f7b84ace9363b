import { startRedis } from '../support/redis-server.ts'
import { ioredis } from './ioredis-versions.ts'
import { lockContract } from './lock-contract.ts'

lockContract(async () => {
  const servers = await Promise.all([startRedis(), startRedis(), startRedis()])
  return {
    connect: (index, version) => new (ioredis(version).Redis)(servers[index]?.url as string),
    stop: async () => void (await Promise.all(servers.map((server) => server.stop()))),
  }
})
