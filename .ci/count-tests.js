// Prints "PASSED FAILED" for vitest's JSON results and its exit code, then the failed tests, a line each. A skipped test has
// not passed: it counts as failed.
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'

const [file, status] = process.argv.slice(2)
const { testResults } = JSON.parse(readFileSync(file, 'utf8'))

let passed = 0
const failed = []
for (const { name, status: suite, assertionResults } of testResults) {
  const file = relative(process.cwd(), name)
  const failures = assertionResults.filter((test) => test.status !== 'passed')
  passed += assertionResults.length - failures.length
  for (const { fullName } of failures) failed.push(`${file}: ${fullName}`)
  if (suite === 'failed' && failures.length === 0) failed.push(`${file}: the suite could not run`)
}
if (status !== '0' && failed.length === 0) failed.push('an error outside of any test')

console.log([`${passed} ${failed.length}`, ...failed].join('\n'))
