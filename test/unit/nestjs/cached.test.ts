import 'reflect-metadata'
import { expect, test } from 'vitest'

import { Cached } from '../../../src/nestjs/cached.ts'

test('where Nest has not made the object, the method runs for each call', async () => {
  class Users {
    readonly name = 'users'
    runs = 0
    @Cached()
    async find(id: string): Promise<string> {
      return `${this.name}: ${id}, run ${++this.runs}`
    }
  }
  const users = new Users()
  expect([await users.find('1'), await users.find('1')]).toEqual(['users: 1, run 1', 'users: 1, run 2'])
})

test('the method keeps its name, its length and what is noted on it', () => {
  const noted = (_target: object, _name: string, { value }: PropertyDescriptor): void =>
    Reflect.defineMetadata('note', 'kept', value as object)
  class Users {
    @Cached()
    @noted
    async find(_id: string, _page: number): Promise<void> {}
  }
  const { find } = Users.prototype
  expect([find.name, find.length, Reflect.getMetadata('note', find)]).toEqual(['find', 2, 'kept'])
})

test.each([
  ['a key that is no function', () => Cached({ key: 'users' as never }), 'key must be a function, received "users"'],
  ['options that are none', () => Cached(null as never), 'options must be an object, received null'],
  [
    'a getter',
    () => Cached()({}, 'name', { get: () => () => Promise.resolve() }),
    'what @Cached() decorates must be a function, received undefined',
  ],
  [
    'a static method',
    () => Cached()(class Users {}, 'find', { value: () => Promise.resolve() }),
    'what has the method of @Cached() must be an object, and the method not static, received a function',
  ],
])('%s is refused at once', (_name, decorate, message) => {
  expect(decorate).toThrow(message)
})
