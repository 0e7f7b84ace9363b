import { describe, expect, it } from 'vitest'
import { parseAddress } from '../../../src/cli/address.ts'
import { readArguments } from '../../../src/cli/arguments.ts'
import { printable, table } from '../../../src/cli/output.ts'
import { UsageError } from '../../../src/cli/usage-error.ts'

describe('a URL', () => {
  it('names host, port, user, password and database', () => {
    expect(parseAddress('rediss://ada:p%40ss@redis.test:6380/2')).toEqual({
      ...{ host: 'redis.test', port: 6380, username: 'ada', password: 'p@ss', db: 2, tls: true },
    })
    expect(parseAddress('redis://:pw@[::1]')).toMatchObject({
      host: '::1',
      port: 6379,
      username: undefined,
      tls: false,
    })
    expect(parseAddress('valkey://localhost')).toMatchObject({ host: 'localhost', tls: false })
  })

  it.each(['', 'localhost', 'http://u:secret@x', 'redis://', 'redis://u:secret@x/name', 'redis://u:%zz@x'])(
    'that cannot be meant is refused without being repeated: %s',
    (url) => {
      expect(() => parseAddress(url)).toThrow(UsageError)
      expect(() => parseAddress(url)).not.toThrow(/secret|zz/)
    },
  )
})

describe('the command line', () => {
  const read = (line: string, env = {}) => readArguments(line === '' ? [] : line.split(' '), env)

  it('has defaults', () => {
    expect(read('doctor redis://a redis://b')).toMatchObject({
      ...{ command: 'doctor', prefix: 'herdlock', timeout: 2000, json: false, strict: false },
      addresses: [{ host: 'a' }, { host: 'b' }],
    })
    expect(read('inspect redis://a --limit 5 --prefix shop --json --locks job:')).toMatchObject({
      ...{ command: 'inspect', limit: 5, prefix: 'shop', json: true, locks: 'job:' },
    })
  })

  it('takes the URL of the environment where it names none', () => {
    expect(read('inspect', { REDIS_URL: 'redis://c' })).toMatchObject({ addresses: [{ host: 'c' }] })
    expect(read('inspect redis://a', { REDIS_URL: 'redis://c' })).toMatchObject({ addresses: [{ host: 'a' }] })
  })

  it('asks for help or the version', () => {
    expect(['', 'help', '--help', 'doctor -h'].map((line) => read(line).command)).toEqual(Array(4).fill('help'))
    expect(read('-v').command).toBe('version')
  })

  it.each([
    'frobnicate',
    'doctor',
    'doctor --nonsense redis://a',
    'doctor --limit 5 redis://a',
    'inspect --strict redis://a',
    'inspect --limit 0 redis://a',
    'doctor --timeout 1s redis://a',
    'doctor --timeout 99999999999 redis://a',
    'doctor --prefix= redis://a',
  ])('that cannot be meant is refused: %s', (line) => {
    expect(() => read(line)).toThrow(UsageError)
  })
})

describe('what is printed', () => {
  it('has nothing in it that a terminal would act upon', () => {
    expect(printable('a\u001b[31mb\n\u009b\u202ec\u2028\ud800é漢')).toBe(
      'a\\x1b[31mb\\x0a\\x9b\\u{202e}c\\u{2028}\\u{d800}é漢',
    )
  })

  it('stands in columns, numbers on the right', () => {
    expect(table(['key', 'ms'], [...[['a', 5]], ['bcd', 10]] as [string, number][])).toBe('key  ms\na     5\nbcd  10\n')
  })
})
