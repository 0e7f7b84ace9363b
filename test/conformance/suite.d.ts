declare module 'http-cache-tests/client/runner.mjs' {
  export function runTests(
    suites: unknown[],
    fetch: typeof globalThis.fetch,
    browser: boolean,
    base: string,
  ): Promise<void>
  export function getResults(): Record<string, true | [kind: string, message: string]>
}

declare module 'http-cache-tests/tests/index.mjs' {
  interface Test {
    id: string
    name: string
    kind?: 'required' | 'optimal' | 'check'
    depends_on?: string[]
    browser_only?: boolean
  }
  const suites: Array<{ id: string; tests: Test[] }>
  export default suites
}

declare module 'http-cache-tests/tests/surrogate-control.mjs' {
  import type suites from 'http-cache-tests/tests/index.mjs'
  const suite: (typeof suites)[number]
  export default suite
}
