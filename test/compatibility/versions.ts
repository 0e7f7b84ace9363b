/** The exact versions of other people's programs that the tests fetch, beside those that `npm ci` installs. */

const [node20, node22, node24, node26] = ['20.19.43', '22.20.7', '24.19.4', '26.6.7'] as const

/** Each compiler with the `@types/node` and the resolution that it is tried with: none of these is left out. */
export const TYPE_CHECKS = [
  { typescript: '5.4.5', types: node20, resolution: 'nodenext' },
  { typescript: '5.7.3', types: node22, resolution: 'bundler' },
  { typescript: '5.9.3', types: node24, resolution: 'nodenext' },
  { typescript: '6.0.3', types: node26, resolution: 'bundler' },
  { typescript: '7.0.2', types: node26, resolution: 'nodenext' },
] as const

type TypeCheck = { typescript: string; types: string; resolution: 'nodenext' | 'bundler' }

/** All with all. Only the first compiler is too old for any but the first `@types/node`: from 22 on they ask for 5.6. */
export const ALL_TYPE_CHECKS: readonly TypeCheck[] = TYPE_CHECKS.flatMap(({ typescript }, index) =>
  (index === 0 ? [node20] : [node20, node22, node24, node26]).flatMap((types) => [
    { typescript, types, resolution: 'nodenext' } as const,
    { typescript, types, resolution: 'bundler' } as const,
  ]),
)

/** Of the first line the oldest that is supported, of each other the newest. */
export const NODES = {
  'Node.js 20': '20.19.0',
  'Node.js 22': '22.23.5',
  'Node.js 24': '24.22.3',
  'Node.js 26': '26.12.1',
}

/** Nest's platforms, beside those that are installed. */
export const NEST_12 = { express: '12.5.1', fastify: '12.5.0' } as const

/** Runs the tests of a project that uses `herdlock/testing`. */
export const JEST = '30.5.2'

/** Grafana's published schema of a dashboard, and the grammar of the queries in it with what that parses by. */
export const GRAFANA_SCHEMA = '13.2.3'
export const PROMQL = { grammar: '0.315.0', lr: '1.4.10', highlight: '1.2.3' } as const

export const BUN = '1.4.5'
export const DENO = '2.9.6'
export const ASTRO = '7.3.5'
export const ASTRO_NODE = '11.1.6'

/** Servers that can be had: packages of Debian, whose exact versions are those of the day. */
export const SERVERS = [
  { suite: 'bookworm', package: 'redis-tools', from: 'Debian 12' },
  { suite: 'trixie', package: 'redis-tools', from: 'Debian 13' },
  { suite: 'trixie', package: 'valkey-tools', from: 'Debian 13' },
  { suite: 'forky', package: 'valkey-tools', from: 'Debian, testing' },
] as const
