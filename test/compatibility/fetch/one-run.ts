import { expect } from 'vitest'
import { ask } from '../../http/support/client.ts'

const CLIENTS = 20

/** So many clients ask each of these servers for their page at once: one run answers all, and then there are hits. */
export async function expectOneRun(ports: readonly number[]): Promise<void> {
  const asking = async (port: number) => ask(`http://127.0.0.1:${port}/page`, { headers: { Host: 'shop.example' } })
  const answers = await Promise.all(ports.flatMap((port) => Array.from({ length: CLIENTS }, () => asking(port))))
  expect(answers.length).toBe(ports.length * CLIENTS)
  expect(new Set(answers.map(({ status, body }) => `${status} ${body}`))).toEqual(new Set(['200 run 1']))
  for (const { headers } of await Promise.all(ports.map(asking))) expect(headers['cache-status']).toContain('hit')
}
