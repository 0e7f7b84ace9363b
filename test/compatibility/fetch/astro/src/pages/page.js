import { setTimeout as delay } from 'node:timers/promises'
import { nextRun } from '../redis.js'

export async function GET() {
  const run = await nextRun()
  await delay(300)
  return new Response(`run ${run}`, { headers: { 'Cache-Control': 'public, max-age=60' } })
}
