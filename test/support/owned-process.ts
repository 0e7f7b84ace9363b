import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const REAPER = fileURLToPath(new URL('reaper.sh', import.meta.url))

let reaper: ChildProcess | undefined

/**
 * Makes `child` end with this process however this process ends, SIGKILL included. An exit handler would not run
 * then, so a tiny shell process holds a pipe from us and kills what is left when the pipe closes.
 */
export function own<Child extends ChildProcess>(child: Child): Child {
  const pid = child.pid
  if (pid === undefined) return child
  tell(`+ ${pid}`)
  child.once('exit', () => tell(`- ${pid}`))
  return child
}

function tell(line: string): void {
  reaper ??= startReaper()
  reaper.stdin?.write(`${line}\n`)
}

function startReaper(): ChildProcess {
  // Detached: a Ctrl-C in the terminal must not end the reaper before it has reaped.
  const child = spawn('/bin/sh', [REAPER], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  child.unref()
  const pipe = child.stdin as typeof child.stdin & { unref?: () => void }
  pipe.unref?.()
  return child
}

/** Resolves when `child` has ended; at once if it already has. */
export async function ended(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  if (child.exitCode !== null || child.signalCode !== null) return { code: child.exitCode, signal: child.signalCode }
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
}
