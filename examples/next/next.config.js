import { fileURLToPath } from 'node:url'

export default {
  cacheComponents: true,
  cacheHandlers: { default: fileURLToPath(import.meta.resolve('./use-cache-handler.js')) },
  cacheHandler: fileURLToPath(import.meta.resolve('./incremental-cache-handler.js')),
  cacheMaxMemorySize: 0, // the handlers have a memory of their own, which hears of changes
}
