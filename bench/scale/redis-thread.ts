import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisServer } from '../../test/support/redis-server.ts'

/** ms of processor time that Redis's only thread has used since it began. */
async function threadTime(server: RedisServer): Promise<number> {
  const info = String(await server.command('INFO', 'cpu'))
  const figure = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1])
  return 1000 * (figure('used_cpu_user_main_thread') + figure('used_cpu_sys_main_thread'))
}

/**
 * ms of Redis's thread that `work` and what follows from it take, without what it uses while nothing happens; of several
 * servers the busiest counts.
 */
export async function spentOn(
  servers: readonly RedisServer[],
  work: () => Promise<unknown>,
): Promise<{ readonly busy: number }> {
  const idle = await spent(servers, () => sleep(300))
  const whole = await spent(servers, async () => {
    await work()
    await sleep(200) // in which the last is written
  })
  const rests = whole.times.map((time, n) => time - ((idle.times[n] as number) / idle.took) * whole.took)
  return { busy: Math.max(...rests) }
}

async function spent(servers: readonly RedisServer[], work: () => Promise<unknown>) {
  const before = await Promise.all(servers.map(threadTime))
  const startedAt = performance.now()
  await work()
  const took = performance.now() - startedAt
  const after = await Promise.all(servers.map(threadTime))
  return { times: after.map((time, n) => time - (before[n] as number)), took }
}
