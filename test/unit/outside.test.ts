import { AsyncLocalStorage, executionAsyncResource } from 'node:async_hooks'
import { expect, it } from 'vitest'
import { collectGarbage } from '../support/collect-garbage.ts'
import { runOutside } from '../../src/outside.ts'

const scope = new AsyncLocalStorage<object>()

it('runs in no context, and returns what the function does', () => {
  const seen = scope.run({}, () => runOutside(() => [scope.getStore()]))
  expect(seen).toEqual([undefined])
})

it('leaves the context of its caller as it was, also when the function throws', () => {
  const request = {}
  scope.run(request, () => {
    expect(() =>
      runOutside(() => {
        throw new Error('failed')
      }),
    ).toThrow('failed')
    expect(scope.getStore()).toBe(request)
  })
})

it('keeps nobody alive by what it makes', async () => {
  let request: WeakRef<object> | undefined
  let timer: NodeJS.Timeout | undefined
  let seen: unknown = 'nothing'
  const fired = new Promise<void>((resolve) => {
    const run = (): void => {
      request = new WeakRef(scope.getStore() as object)
      timer = runOutside(() =>
        setTimeout(() => {
          seen = scope.getStore()
          resolve()
        }, 20),
      )
    }
    scope.run({ ballast: 'ballast' }, run)
  })
  await new Promise((resolve) => setImmediate(resolve)) // a WeakRef holds its target for the turn in which it was made
  collectGarbage()
  expect(request?.deref()).toBe(undefined)
  expect(timer?.hasRef()).toBe(true)
  await fired
  expect(seen).toBe(undefined)
})

it('has no context either where a request loads the module', async () => {
  const late = '../../src/outside.ts?late'
  const request = { name: 'request' }
  const module = (await scope.run(request, () => import(late))) as { runOutside: typeof runOutside }
  expect(module.runOutside).not.toBe(runOutside)
  expect(module.runOutside(() => scope.getStore())).toBe(undefined)
  const held = module.runOutside(() => Object.values(Object.getOwnPropertyDescriptors(executionAsyncResource())))
  expect(held).not.toContainEqual(expect.objectContaining({ value: request }))
})
