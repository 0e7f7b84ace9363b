import { findRedis } from '../../support/redis-binary.ts'

const { server, version } = await findRedis()
console.log(JSON.stringify({ server, version }))
