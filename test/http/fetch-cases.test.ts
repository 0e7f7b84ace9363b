import { serveOnFetch } from './support/serve.ts'

serveOnFetch()
await import('./authorization.test.ts')
await import('./conditional.test.ts')
await import('./invalidation.test.ts')
await import('./key.test.ts')
await import('./limits.test.ts')
await import('./rules.test.ts')
await import('./slow-readers.test.ts')
await import('./streaming.test.ts')
await import('./validation.test.ts')
