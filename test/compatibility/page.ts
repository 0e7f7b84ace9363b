import { BROKEN_PROMISES, CLIENTS, FRAMEWORKS, LINGERING, type Recorded } from './tested.ts'
import { TYPE_CHECKS } from './versions.ts'

const SMOKE =
  '[a smoke suite](../test/compatibility/smoke) of the cache, the lock and `singleFlight` in front of `node:http`'

/** docs/compatibility.md. All of its text is here. */
export function pageOf({ runtimes, servers, clients, frameworks }: Recorded): string {
  const isNode = (name: string): boolean => name.startsWith('Node.js')
  const names = Object.keys(runtimes)
  return `# Compatibility

What herdlock runs with, and the versions that passed the tests. The tests record them and make this page. Other versions of
the same line are expected to work as well. If one does not, that is a bug in herdlock.

## Runtimes

${table(
  ['runtime', 'tested', 'by'],
  [...names.filter(isNode), ...names.filter((name) => !isNode(name))].map((name) => [
    name,
    runtimes[name] ?? '',
    isNode(name) ? nodeSuites(name) : SMOKE,
  ]),
)}

Node 20.19 and 22.12 are the oldest versions that work. Node 20 has reached its end of life. herdlock supports it until 1.0, and
not after.

${Object.entries(BROKEN_PROMISES)
  .map(([name, broken]) => brokenOn(name, broken))
  .join('\n\n')}

## Clients

Each client passed the contract suites of the cache and of the lock.

${table(['client', 'tested', 'with'], rows(CLIENTS, clients))}

## Servers

herdlock needs Redis 6.2 or newer. Each of these servers passed the contract suites of the cache and the lock, and those of faults,
Cluster and Sentinel.

${table(
  ['server', 'tested', 'from'],
  Object.entries(servers).map(([name, { version, from }]) => [name, version, from]),
)}

## Frameworks

\`singleFlight\` works with \`node:http\`, and with every framework that passes on Node's own request and response. \`getOrRefill\` and
\`Locker\` do not depend on a framework.

${table(['framework', 'tested', 'with'], rows(FRAMEWORKS, frameworks))}

## TypeScript

The published types compile in strict mode, without \`skipLibCheck\`, in projects with these versions. The clients above are
accepted without a cast.

${table(
  ['TypeScript', '`@types/node`', 'resolution'],
  TYPE_CHECKS.map(({ typescript, types, resolution }) => [typescript, types, `\`${resolution}\``]),
)}

With TypeScript 5.4 and \`bundler\`, the types of GLIDE itself do not compile, unless \`skipLibCheck\` is set.

Next: [what stays stable](stability.md) between versions, [what is guaranteed](guarantees.md).
`
}

function rows(
  tested: readonly { name: string; as: string }[],
  versions: Readonly<Record<string, string>>,
): readonly string[][] {
  return tested.map(({ name, as }) => [name, versions[name] ?? '', as])
}

function nodeSuites(name: string): string {
  const until = name === 'Node.js 20' ? '; supported until 1.0' : ''
  return `unit and HTTP suites, contract suites, projects that install the package${until}`
}

function brokenOn(name: string, broken: readonly string[]): string {
  const end = LINGERING.includes(name)
    ? ' A process may go on after everything is closed: end it with `process.exit()`.'
    : ''
  if (broken.length === 0) return `On ${name} every promise of the smoke suite holds.${end}`
  return `On ${name} these promises of the smoke suite do not hold:\n\n${broken.map((each) => `- ${each}`).join('\n')}`
}

function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
