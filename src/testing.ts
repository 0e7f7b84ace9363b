/** For tests of code that uses herdlock: virtual time, faults with one call, assertions. @module herdlock/testing */
export { createTestbed, type Testbed, type TestbedOptions } from './testing/testbed.ts'
export type { TestCacheOptions, TestProcess } from './testing/test-process.ts'
export type { SeenCall, SeenLoad } from './testing/witness.ts'
