import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const FILE = new URL('../../../src/redis/fast-strings.ts', import.meta.url)
const PROGRAM = `
  import 'ioredis'
  import { makeStringsFast } from '${FILE.href}'
  const areFast = () => %HasFastProperties(String.prototype)
  const before = areFast()
  makeStringsFast()
  class Later extends String {}
  console.log(JSON.stringify({ before, after: areFast() }))
`

it('makes fast what loading ioredis has made slow, for good', async () => {
  const flags = ['--allow-natives-syntax', '--import', 'tsx', '--input-type=module', '--eval', PROGRAM]
  const { stdout } = await promisify(execFile)(process.execPath, flags)
  expect(JSON.parse(stdout)).toEqual({ before: false, after: true })
})
