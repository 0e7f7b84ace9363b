// Pages that are made ahead, and the results of `fetch`.
import { createIncrementalCacheHandler } from 'herdlock/next'
import { cache } from './cache.js'

export default createIncrementalCacheHandler({ cache })
