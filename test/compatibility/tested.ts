import { ASTRO, NEST_12 } from './versions.ts'

/** What of others the tests run with. */
export interface Tested {
  readonly name: string
  readonly package: string
  /** How it is used. */
  readonly as: string
  /** The file by which the tests get it. */
  readonly by: string
  /** Of what the tests fetch. The others are installed by `npm ci`, and say it themselves. */
  readonly version?: string
}

const LIBRARIES = 'test/contract/libraries.ts'

export const CLIENTS: readonly Tested[] = [
  { name: 'ioredis 6', package: 'ioredis', as: 'standalone, Cluster, Sentinel', by: LIBRARIES },
  { name: 'ioredis 5', package: 'ioredis5', as: 'standalone, Cluster, Sentinel', by: LIBRARIES },
  { name: 'iovalkey', package: 'iovalkey', as: 'standalone, Cluster, Sentinel', by: LIBRARIES },
  { name: 'node-redis 6', package: 'redis', as: 'client, pool, Cluster, Sentinel', by: LIBRARIES },
  { name: 'node-redis 5', package: 'redis5', as: 'client, pool, Cluster, Sentinel', by: LIBRARIES },
  { name: 'GLIDE 2', package: '@valkey/valkey-glide', as: 'standalone, Cluster', by: 'test/support/glide-clients.ts' },
]

const CACHE_MANAGER = 'test/contract/cache-manager.test.ts'
const REDLOCK = 'test/contract/redlock.test.ts'
const NEST = 'test/http/nestjs.test.ts'
const NEXT = 'examples/next/app/page.jsx'
const KOA = 'test/http/koa.test.ts'
const SERVE = 'test/http/support/serve.ts'

export const FRAMEWORKS: readonly Tested[] = [
  { name: 'Express 5', package: 'express', as: '`singleFlight`', by: SERVE },
  { name: 'Express 4', package: 'express4', as: '`singleFlight`', by: SERVE },
  { name: 'Connect', package: 'connect', as: '`singleFlight`', by: SERVE },
  { name: 'Koa 3', package: 'koa', as: '`singleFlight`', by: KOA },
  { name: 'Koa 2', package: 'koa2', as: '`singleFlight`', by: KOA },
  { name: 'Next 16', package: 'next', as: '`herdlock/next`', by: NEXT },
  { name: 'NestJS 11 on Express', package: '@nestjs/platform-express', as: '`herdlock/nestjs`', by: NEST },
  { name: 'NestJS 11 on Fastify', package: '@nestjs/platform-fastify', as: '`herdlock/nestjs`', by: NEST },
  {
    name: 'NestJS 12 on Express',
    package: '@nestjs/platform-express',
    as: '`herdlock/nestjs`',
    by: NEST,
    version: NEST_12.express,
  },
  {
    name: 'NestJS 12 on Fastify',
    package: '@nestjs/platform-fastify',
    as: '`herdlock/nestjs`',
    by: NEST,
    version: NEST_12.fastify,
  },
  { name: 'Fastify', package: 'fastify', as: '`singleFlight`', by: 'test/http/fastify.test.ts' },
  { name: 'Hono', package: 'hono', as: '`singleFlight`', by: 'test/http/hono.test.ts' },
  { name: 'H3', package: 'h3', as: '`singleFlight` of `herdlock/fetch`', by: 'test/integration/workers/http-herd.ts' },
  {
    name: 'Elysia on Bun',
    package: 'elysia',
    as: '`singleFlight` of `herdlock/fetch`',
    by: 'test/compatibility/fetch/main.js',
  },
  {
    name: 'Astro 7',
    package: 'astro',
    as: '`singleFlight` of `herdlock/fetch`',
    by: 'test/compatibility/fetch/astro/astro.config.mjs',
    version: ASTRO,
  },
  { name: 'cache-manager 7', package: 'cache-manager', as: '`herdlock/cache-manager`', by: CACHE_MANAGER },
  { name: 'redlock 5', package: 'redlock', as: '`herdlock/redlock`', by: REDLOCK },
]

/** By runtime, the promises of smoke/ that break there. None more and none less: the tests compare. */
export const BROKEN_PROMISES: Readonly<Record<string, readonly string[]>> = { Bun: [], Deno: [] }

/** Runtimes on which a process does not always end by itself once all is closed. */
export const LINGERING: readonly string[] = ['Bun']

/** By the name of each what version the tests ran with, the last time that they passed. */
export interface Recorded {
  readonly runtimes: Readonly<Record<string, string>>
  readonly servers: Readonly<Record<string, { readonly version: string; readonly from: string }>>
  readonly clients: Readonly<Record<string, string>>
  readonly frameworks: Readonly<Record<string, string>>
}
