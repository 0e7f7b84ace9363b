import { readFile } from 'node:fs/promises'
import { readArguments, type Request } from './arguments.ts'
import { findClient, MissingClient } from './clients/find-client.ts'
import { diagnose } from './doctor/doctor.ts'
import { isRefusal } from './doctor/examine.ts'
import { messageOf } from './doctor/refusal.ts'
import { reportDiagnoses } from './doctor/report.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { HELP } from './help.ts'
import { inspect } from './inspect/inspect.ts'
import { reportInventories } from './inspect/report.ts'
import { Unreachable } from './node.ts'
import { type Output, printable } from './output.ts'
import { reportTuning } from './tune/report.ts'
import { tune } from './tune/tune.ts'
import { UsageError } from './usage-error.ts'
import { comesFromInstance, isErrorReply } from '../redis/client-error.ts'

/**
 * Runs the command line and resolves with the exit code. Never rejects for errors that users can cause. `manifest`: our
 * package.json, for the version.
 */
export async function run(args: readonly string[], manifest: URL): Promise<ExitCode> {
  const { env, stdout, stderr } = process
  stdout.on('error', () => {}) // whoever reads has read enough, as `head` does
  const colours = env['NO_COLOR'] === undefined || env['NO_COLOR'] === '' ? stdout.isTTY : false
  const output: Output = {
    write: (text) => void stdout.write(text),
    note: (text) => void stderr.write(stderr.isTTY ? `\u001b[K${text}\r` : `${text}\n`),
    colours,
  }
  try {
    return await answer(readArguments(args, env), output, manifest)
  } catch (error) {
    const exitCode = exitCodeOf(error)
    if (exitCode === undefined) throw error
    stderr.write(`herdlock: ${printable(messageOf(error))}\n`)
    if (error instanceof UsageError) stderr.write('Try herdlock --help.\n')
    return exitCode
  }
}

async function answer(request: Request, output: Output, manifest: URL): Promise<ExitCode> {
  switch (request.command) {
    case 'help':
      output.write(HELP)
      return EXIT.ok
    case 'version':
      output.write(`${await versionIn(manifest)}\n`)
      return EXIT.ok
    case 'tune':
      reportTuning(await tune(request, output.note), request.json, output)
      return EXIT.ok
    case 'doctor':
      return reportDiagnoses(await diagnose(request, findClient(process.cwd())), request, output)
    case 'inspect':
      reportInventories(await inspect(request, findClient(process.cwd())), request.json, output)
      return EXIT.ok
  }
}

function exitCodeOf(error: unknown): ExitCode | undefined {
  if (error instanceof UsageError || error instanceof MissingClient) return EXIT.usage
  if (isRefusal(error) || isErrorReply(error)) return EXIT.failure
  return error instanceof Unreachable || comesFromInstance(error) ? EXIT.unreachable : undefined
}

async function versionIn(manifest: URL): Promise<string> {
  return (JSON.parse(await readFile(manifest, 'utf8')) as { version: string }).version
}
