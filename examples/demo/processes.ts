import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Channel, channelTo, type Message } from '../../test/support/message-channel.ts'
import { ended, own } from '../../test/support/owned-process.ts'

/** How long a process may take to end by itself, in ms. */
const GRACE = 2000

type Kind = 'service' | 'load'

interface Process {
  readonly kind: Kind
  stop(): Promise<void>
}

const running = new Set<Process>()

/** Starts one of the demo's files as a process of its own; resolves when it has said `ready`, with that message. */
export async function startProcess(
  kind: Kind,
  args: readonly string[] = [],
): Promise<{ channel: Channel; greeting: Message; kill(): Promise<void> }> {
  const file = fileURLToPath(new URL(`${kind}.ts`, import.meta.url))
  const child = own(fork(file, args, { execArgv: ['--import', import.meta.resolve('tsx')] }))
  const channel = channelTo(child, `the ${kind} process`)
  running.add({
    kind,
    async stop() {
      if (child.connected) channel.send({ type: 'stop' })
      const timer = setTimeout(() => child.kill('SIGKILL'), GRACE)
      await ended(child)
      clearTimeout(timer)
    },
  })
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended(child)
  }
  return { channel, greeting: await channel.next('ready'), kill }
}

/** Ends every process that was started: the one that sends requests before those that answer them. */
export async function stopProcesses(): Promise<void> {
  for (const kind of ['load', 'service'] satisfies Kind[]) {
    await Promise.all([...running].filter((process) => process.kind === kind).map((process) => process.stop()))
  }
  running.clear()
}
