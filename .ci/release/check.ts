import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from './entries.ts'
import { missingFacts } from './owner-facts.ts'

/**
 *     npm run release:check [-- folder]
 *
 * Fails with the list of what only the owner of the project knows, as long as something of it is missing.
 */
const folder = process.argv[2] ?? ROOT
const [manifest, security, releasing] = await Promise.all(
  ['package.json', 'SECURITY.md', 'RELEASING.md'].map((name) => readFile(join(folder, name), 'utf8')),
)
const missing = missingFacts({
  manifest: manifest as string,
  security: security as string,
  releasing: releasing as string,
})
if (missing.length > 0) {
  console.error(
    `Not ready for a release. Only the owner knows (RELEASING.md):\n${missing.map((each) => `- ${each}`).join('\n')}`,
  )
  process.exitCode = 1
} else {
  console.log('All that only the owner knows is there.')
}
