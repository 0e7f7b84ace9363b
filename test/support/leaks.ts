import { eventually } from './eventually.ts'
import { connectResp, type RespAddress } from './resp.ts'

export type Resources = ReadonlyMap<string, number>

/** What keeps this process alive now: timers, sockets, pipes and the like, counted by kind. */
export function snapshotResources(): Resources {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

/** Rejects unless, within two seconds, nothing keeps the process alive that did not do so at `before`. */
export async function expectNoLeaks(before: Resources, kinds?: readonly string[]): Promise<void> {
  let leaked: string[] = []
  try {
    // Sockets and processes that were closed go away some turns of the event loop later.
    await eventually('resources are released', () => (leaked = newResources(before, kinds)).length === 0, {
      within: 2000,
    })
  } catch {
    throw new Error(`leaked: ${leaked.join(', ')}`)
  }
}

function newResources(before: Resources, kinds?: readonly string[]): string[] {
  const more: string[] = []
  for (const [kind, count] of snapshotResources()) {
    const extra = count - (before.get(kind) ?? 0)
    if (extra > 0 && (kinds?.includes(kind) ?? true)) more.push(`${extra} ${kind}`)
  }
  return more
}

/** One line of CLIENT LIST. */
export interface ConnectedClient {
  id: string
  name: string
  cmd: string
  /** Channels subscribed to. */
  sub: number
}

/** The connections that a server has, without the one that asks and without those of its replicas and masters. */
export async function connectedClients(server: RespAddress): Promise<ConnectedClient[]> {
  const client = await connectResp(server)
  try {
    const own = String(await client.command('CLIENT', 'ID'))
    const lines = String(await client.command('CLIENT', 'LIST'))
      .trim()
      .split('\n')
    return lines
      .map((line) => new Map(line.split(' ').map(splitOnce)))
      .filter((fields) => fields.get('id') !== own && !/[SM]/.test(fields.get('flags') ?? ''))
      .map((fields) => ({
        id: fields.get('id') ?? '',
        name: fields.get('name') ?? '',
        cmd: fields.get('cmd') ?? '',
        sub: Number(fields.get('sub')) + Number(fields.get('psub')) + Number(fields.get('ssub') ?? 0),
      }))
  } finally {
    client.close()
  }
}

function splitOnce(field: string): [string, string] {
  const at = field.indexOf('=')
  return [field.slice(0, at), field.slice(at + 1)]
}
