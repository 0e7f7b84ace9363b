// Prints "PASSED FAILED" for vitest's JSON results and its exit code. A skipped test has not passed: it counts as failed.
import { readFileSync } from 'node:fs'

const [file, status] = process.argv.slice(2)
const { testResults } = JSON.parse(readFileSync(file, 'utf8'))

let passed = 0
let failed = 0
for (const { status: suite, assertionResults } of testResults) {
  const failures = assertionResults.filter((test) => test.status !== 'passed').length
  passed += assertionResults.length - failures
  failed += failures
  if (suite === 'failed' && failures === 0) failed += 1
}
if (status !== '0' && failed === 0) failed = 1

console.log(`${passed} ${failed}`)
