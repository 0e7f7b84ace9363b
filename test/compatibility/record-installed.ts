import { recordInstalled } from './recorded.ts'

/**
 *     npm run compatibility
 *
 * Notes the versions of clients and frameworks that are installed, and makes docs/compatibility.md anew. What runs the
 * runtimes and servers does so by itself when it has passed.
 */
await recordInstalled()
