// How do all processes of a self-hosted Next share its caches?
// Look at: next.config.js, which names this file and incremental-cache-handler.js.
// Run: npm run build && npx next build examples/next && npx next start examples/next
import { createUseCacheHandler } from 'herdlock/next'
import { cache } from './cache.js'

export default createUseCacheHandler({ cache })
