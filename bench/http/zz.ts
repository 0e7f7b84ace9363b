import { AsyncLocalStorage } from 'node:async_hooks'
import { createServer } from 'node:http'
import { contenders } from './contenders.ts'
const c = contenders.find((x) => x.name === process.argv[2])!
if (process.argv[4] === 'als') new AsyncLocalStorage().run(1, () => {})
createServer(c.make({ bytes: 1024, delay: 0, maxAge: 3600 }, () => {})).listen(Number(process.argv[3]), '127.0.0.1')
process.on('SIGTERM', () => process.exit(0))
