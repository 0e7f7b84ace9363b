// The house rules that a machine can check: the layers, the doors of time and chance, and promises nobody forgets.
// Run with `npm run lint`; test/package/layers.test.ts proves that each layer rule refuses what it should.

/** Files of src/ that anyone may import and that import nothing of ours but one another. */
const leaves = ['abort', 'check', 'clock', 'diagnostics', 'errors', 'full-key', 'key-version', 'outside', 'random']

/** Files of src/ that packages import, and nothing inside does. */
const entries = [
  'index',
  'lock',
  'express',
  'fetch',
  'hono',
  'koa',
  'fastify',
  'nestjs',
  'next',
  'cache-manager',
  'redlock',
  'dashboard',
  'opentelemetry',
  'prometheus',
  'testing',
  'cli',
]

/** Which folders of src/ a folder may import from; leaves go without saying. */
const layers = {
  cli: ['store', 'redis', 'middleware'],
  dashboard: ['cache'],
  opentelemetry: ['cache'],
  prometheus: ['cache'],
  'cache-manager': ['cache'],
  nestjs: ['cache', 'lock', 'middleware'],
  next: ['cache'],
  redlock: ['lock', 'redis'],
  testing: ['cache', 'lock', 'redis'],
  middleware: ['cache'],
  cache: ['flight', 'store', 'stream', 'lock', 'redis'],
  flight: [],
  stream: ['store', 'redis'],
  store: ['redis'],
  lock: ['redis'],
  redis: [],
}

/** The only files that may import each of our dependencies. */
const dependencies = {
  'cluster-key-slot': 'src/redis/hash-slot.ts',
  devalue: 'src/store/codec.ts',
  'lru-cache': 'src/cache/local/*.ts',
  'range-parser': 'src/middleware/answer/narrowed.ts',
  'structured-headers': 'src/middleware/rules/targeted-fields.ts',
}

/** The only folder that may import each of the packages that are optional for users. */
const optionalPeers = { opentelemetry: '@opentelemetry/api', prometheus: 'prom-client', nestjs: '@nestjs/common' }

/** Folders of those who watch caches. */
const watchers = ['opentelemetry', 'prometheus']

const doors = {
  'no-restricted-globals': [
    'error',
    {
      checkGlobalObject: true,
      globals: [
        ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate'],
        ...['performance', 'crypto', 'Date'],
      ].map((name) => ({ name, message: 'Time enters through src/clock.ts, chance through src/random.ts.' })),
    },
  ],
  'no-restricted-properties': [
    'error',
    { object: 'Date', property: 'now', message: 'Time enters through src/clock.ts.' },
    { object: 'AbortSignal', property: 'timeout', message: 'Time enters through src/clock.ts.' },
    { object: 'process', property: 'hrtime', message: 'Time enters through src/clock.ts.' },
    { object: 'Math', property: 'random', message: 'Chance enters through src/random.ts.' },
  ],
}

const timeModules = ['node:timers', 'node:timers/promises', 'node:perf_hooks']

/** The import rule of some files: which relative paths they must not use, and which package they alone may. */
function imports(patterns, { allowedPackage, time = false, chance = false } = {}) {
  return {
    'no-restricted-imports': [
      'error',
      {
        paths: [
          ...(time ? [] : timeModules.map((name) => ({ name, message: 'Time enters through src/clock.ts.' }))),
          // Digests are no chance.
          ...(chance ? [] : [{ name: 'node:crypto', allowImportNames: ['createHash', 'hash'] }]),
        ],
        patterns: [
          ...patterns,
          {
            group: [
              ...['*', '!./**', '!../**', '!node:*', '!node:*/**'],
              ...(allowedPackage === undefined ? [] : [`!${allowedPackage}`]),
            ],
            message: 'Clients and requests are structural types; each dependency has one file that may import it.',
          },
        ],
      },
    ],
  }
}

function folderPatterns(folder) {
  const foreign = Object.keys(layers).filter((other) => other !== folder && !layers[folder].includes(other))
  return [
    {
      regex: `^(\\.\\./)+(${foreign.join('|')})/`,
      message: `src/${folder} may import from: ${['the leaves', ...layers[folder]].join(', ')}.`,
    },
    { regex: `^(\\.\\./)+(${entries.join('|')})\\.ts$`, message: 'Nothing inside imports the entry files.' },
  ]
}

const leafPatterns = [
  { regex: '^(\\.\\./|\\./.*/)', message: 'Leaves import only leaves.' },
  { regex: `^\\./(${entries.join('|')})\\.ts$`, message: 'Nothing inside imports the entry files.' },
]

const cachePatterns = [
  ...folderPatterns('cache'),
  { regex: '/redis/script(s/|\\.ts$)', message: 'The cache wires connections; only stores and locks speak to Redis.' },
]

const watcherPatterns = (folder) => [
  ...folderPatterns(folder),
  { regex: '/cache/', allowTypeImports: true, message: 'Telemetry knows a cache by its types alone.' },
]

/** Rooms of src/middleware/ that know nothing of a server: edges stand on them. */
const edgeless = ['request', 'answer', 'rules', 'stored', 'fill', 'flights']

/** What edges share of the middleware, beside those rooms. */
const edgelessFiles = ['reception', 'options', 'invalidation', 'wait-until'].map((name) => `src/middleware/${name}.ts`)

/** Edges, of which none knows another one. */
const edges = ['node', 'fetch', 'hono', 'koa', 'fastify']

const edgelessPatterns = [
  ...folderPatterns('middleware'),
  {
    regex: `^node:http|^\\.{1,2}/(${edges.join('|')})/`,
    message: 'What edges share knows nothing of a server: what it needs of one goes through Arrival and Edge.',
  },
]

/** Hono's context stands on the edge of fetch. */
const honoPatterns = [
  ...folderPatterns('middleware'),
  { regex: '^node:http|^\\.\\./node/', message: 'Bun and Deno run it.' },
]

/** Koa's context stands on both: the request is Node's, the answer is made as a `Response`. */
const koaPatterns = [
  ...folderPatterns('middleware'),
  { regex: '^\\.\\./(hono|fastify)/', message: 'Frameworks know nothing of each other.' },
]

/** Fastify's plugin stands on the edge of node. */
const fastifyPatterns = [
  ...folderPatterns('middleware'),
  { regex: '^\\.\\./(fetch|hono|koa)/', message: 'Frameworks know nothing of each other.' },
  { regex: '^fastify$', allowTypeImports: true, message: 'Fastify is known by its types alone.' },
]

const roomPatterns = [
  ...edgelessPatterns,
  { regex: '^\\.\\./(reception|options|invalidation)\\.ts$', message: 'Rooms do not know who receives requests.' },
]

function patternsOf(folder, room) {
  if (folder === 'middleware' && edgeless.includes(room)) return roomPatterns
  if (watchers.includes(folder)) return watcherPatterns(folder)
  return folder === 'cache' ? cachePatterns : folderPatterns(folder)
}

export default {
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise', 'node', 'vitest'],
  ignorePatterns: ['dist', '**/.next', 'coverage', 'test/package/consumers', 'site/pages'],
  categories: { correctness: 'error' },
  rules: {
    eqeqeq: 'error',
    'no-var': 'error',
    'prefer-const': 'error',
    'no-throw-literal': 'off', // a loader's reason is passed on by identity, whatever it is
    'import/no-cycle': ['error', { ignoreTypes: false }],
    'import/no-default-export': 'error',
    'typescript/await-thenable': 'error',
    'typescript/consistent-type-imports': 'error',
    'typescript/no-deprecated': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/no-non-null-assertion': 'error',
    'typescript/return-await': ['error', 'error-handling-correctness-only'],
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'vitest/no-focused-tests': 'error',
    'vitest/no-disabled-tests': 'error',
    'vitest/no-restricted-vi-methods': [
      'error',
      { mock: 'Test against the real thing.', doMock: 'Test against the real thing.' },
    ],
    // A test may also assert by awaiting an event that must come, and await an expectation later than it states it.
    'vitest/expect-expect': 'off',
    'vitest/valid-expect': 'off',
    'vitest/require-to-throw-message': 'off',
    // Our interfaces are made of closures: their methods work detached, by promise.
    'typescript/unbound-method': 'off',
    // A copy is no waste where the loop changes the original.
    'unicorn/no-useless-spread': 'off',
  },
  overrides: [
    { files: ['src/**'], rules: { ...doors, 'max-lines': ['error', { max: 450 }], 'no-console': 'error' } },
    { files: entries.map((name) => `src/${name}.ts`), rules: imports([]) },
    // As plugins of Fastify are exported.
    { files: ['src/fastify.ts'], rules: { 'import/no-default-export': 'off' } },
    {
      files: leaves.map((name) => `src/${name}.ts`),
      rules: imports(leafPatterns),
    },
    ...Object.keys(layers).map((folder) => ({
      files: [`src/${folder}/**`],
      rules: imports(patternsOf(folder), { allowedPackage: optionalPeers[folder] }),
    })),
    { files: edgeless.map((room) => `src/middleware/${room}/**`), rules: imports(roomPatterns) },
    { files: edgelessFiles, rules: imports(edgelessPatterns) },
    { files: ['src/middleware/fetch/**'], rules: imports(edgelessPatterns) },
    { files: ['src/middleware/hono/**'], rules: imports(honoPatterns) },
    { files: ['src/middleware/koa/**'], rules: imports(koaPatterns) },
    { files: ['src/middleware/fastify/**'], rules: imports(fastifyPatterns, { allowedPackage: 'fastify' }) },
    ...Object.entries(dependencies).map(([allowedPackage, file]) => ({
      files: [file],
      rules: imports(patternsOf(...file.split('/').slice(1)), { allowedPackage }),
    })),
    {
      // It runs in the browser, which has clocks and timers of its own.
      files: ['src/dashboard/page/**'],
      rules: { 'no-restricted-globals': 'off', 'no-restricted-properties': 'off', 'no-restricted-imports': 'off' },
    },
    {
      files: ['src/clock.ts'],
      rules: {
        'no-restricted-globals': 'off',
        'no-restricted-properties': 'off',
        ...imports(leafPatterns, { time: true }),
      },
    },
    {
      files: ['src/random.ts'],
      rules: {
        'no-restricted-properties': 'off',
        ...imports(leafPatterns, { chance: true }),
      },
    },
    // Hostile thenables are among the inputs that tests try.
    { files: ['test/**'], rules: { 'unicorn/no-thenable': 'off' } },
    {
      files: [
        '*.config.ts',
        'test/compatibility/fetch/astro/astro.config.mjs',
        '*.config.js',
        'site/.vitepress/config.js',
        'test/support/global-setup.ts',
        'examples/next/**',
      ],
      rules: { 'import/no-default-export': 'off' },
    },
  ],
}
