import { Redis } from 'ioredis'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import { GLIDE, NODE_REDIS, SINGLE } from './libraries.ts'
import { type Connect, lockContract } from './lock-contract.ts'

const libraries = [...Object.keys(SINGLE), ...Object.keys(NODE_REDIS), ...Object.keys(GLIDE)]

lockContract(Object.fromEntries(libraries.map((name) => [name, 3])), async () => {
  const servers = await Promise.all([startRedis(), startRedis(), startRedis()])
  const urlOf = (index: number): string => servers[index]?.url as string
  const byUrl = Object.entries(NODE_REDIS).map(([name, make]) => [name, (index: number) => make(urlOf(index))] as const)
  const byOptions = Object.entries(SINGLE).map(([name, make]) => {
    return [name, (index: number) => make({ port: Number(new URL(urlOf(index)).port), host: '127.0.0.1' })] as const
  })
  const byAddress = Object.entries(GLIDE).map(([name, make]) => {
    return [name, (index: number) => make(servers[index] as RedisServer)] as const
  })
  return {
    connect: (index) => new Redis(urlOf(index)),
    libraries: Object.fromEntries<Connect>([...byOptions, ...byUrl, ...byAddress]),
    stop: async () => void (await Promise.all(servers.map((server) => server.stop()))),
  }
})
