/**
 *     node --import tsx bench/dashboard/fleet-cost.ts
 *
 * What a fleet's telling of its figures costs Redis while somebody looks, and what writing history does: commands and bytes. Each
 * cache has a client of its own, as a process has; all of their calls are hits in memory, so that Redis hears nothing else.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createCache } from '../../src/cache/create-cache.ts'
import { insideOf, type FleetLine } from '../../src/cache/watch/inside.ts'
import { systemClock } from '../../src/clock.ts'
import { joinWith } from '../../src/dashboard/fleet/join-fleet.ts'
import { Lookout } from '../../src/dashboard/fleet/lookout.ts'
import { systemRandom } from '../../src/random.ts'
import { startRedis } from '../../test/support/redis-server.ts'

const SECONDS = 20
const CALLS = 200

for (const processes of [1, 10, 100]) {
  const server = await startRedis()
  const clients = Array.from({ length: processes + 1 }, () => new Redis(server.url))
  const caches = clients.map((redis) => createCache({ ttl: 3_600_000, redis }))
  for (const cache of caches) {
    for (let i = 0; i < 40; i++) await cache.getOrRefill(`product:${i}`, () => ({ i }))
  }
  const members = caches
    .slice(1)
    .map((cache, i) =>
      joinWith([cache], { clock: systemClock, random: systemRandom, process: `shop-${i}.eu-west:4242` }),
    )
  await delay(1000)
  const idle = await measure(server.command)
  const traffic = setInterval(() => {
    for (const cache of caches) {
      for (let i = 0; i < CALLS / 10; i++) void cache.getOrRefill(`product:${(i * 7) % 40}`, () => ({ i }))
    }
  }, 100)
  const lookout = new Lookout(insideOf(caches[0] as never).fleet as FleetLine, '', 1000, systemClock)
  lookout.start()
  await delay(3000)
  lookout.update()
  const looked = await measure(server.command)
  const { reports } = lookout.update()
  console.log(
    `${processes} processes: ${(looked.commands - idle.commands).toFixed(1)} commands/s, ` +
      `${Math.round(looked.bytes - idle.bytes)} bytes/s in, ${Math.round((looked.bytes - idle.bytes) / processes)} for each; ` +
      `${reports.length} reports in ${SECONDS} s; redis cpu ${(looked.cpu - idle.cpu).toFixed(4)} s/s`,
  )
  lookout.stop()
  for (const member of members) member.close()
  await delay(1000)
  const recorders = caches
    .slice(1)
    .map((cache) => joinWith([cache], { clock: systemClock, random: systemRandom, history: true }))
  const recorded = await measure(server.command)
  const steps = (await server.command('KEYS', 'herdlock:history:*')) as string[]
  const sizes = await Promise.all(steps.map((step) => server.command('MEMORY', 'USAGE', step, 'SAMPLES', '0')))
  console.log(
    `  history: ${(recorded.commands - idle.commands).toFixed(1)} commands/s, ` +
      `${Math.round((recorded.bytes - idle.bytes) / processes)} bytes/s for each; a step takes ${Math.max(...sizes.map(Number))} bytes`,
  )
  clearInterval(traffic)
  for (const recorder of recorders) recorder.close()
  await Promise.all(caches.map((cache) => cache.close()))
  for (const client of clients) client.disconnect()
  await server.stop()
}

type Command = (...words: string[]) => Promise<unknown>

async function measure(command: Command): Promise<{ commands: number; bytes: number; cpu: number }> {
  const before = await read(command)
  await delay(SECONDS * 1000)
  const after = await read(command)
  const over = (name: keyof typeof before): number => (after[name] - before[name]) / SECONDS
  return { commands: over('commands'), bytes: over('bytes'), cpu: over('cpu') }
}

async function read(command: Command): Promise<{ commands: number; bytes: number; cpu: number }> {
  const text = String(await command('INFO', 'all'))
  const number = (name: string): number => Number(new RegExp(`^${name}:(.*)$`, 'm').exec(text)?.[1] ?? 0)
  return {
    commands: number('total_commands_processed'),
    bytes: number('total_net_input_bytes'),
    cpu: number('used_cpu_user') + number('used_cpu_sys'),
  }
}
