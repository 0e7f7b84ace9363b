import { join } from 'node:path'
import { fromRegistry } from '../support/from-registry.ts'

/** The binary of this version of Node, from the package of the platform. Rejects where the registry has none. */
export async function nodeBinary(version: string): Promise<string> {
  const platform = `${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  // This one goes on under another name.
  const name = platform === 'darwin-arm64' ? `node-bin-${platform}` : `node-${platform}`
  return join(await fromRegistry(name, version), name, 'bin', 'node')
}

export async function bunBinary(version: string): Promise<string> {
  // The build for every processor, not only for those with AVX2.
  const name = `@oven/bun-${process.platform}-${process.arch === 'arm64' ? 'aarch64' : 'x64-baseline'}`
  return join(await fromRegistry(name, version), name, 'bin', 'bun')
}

export async function denoBinary(version: string): Promise<string> {
  const name = `@deno/${process.platform}-${process.arch}${process.platform === 'linux' ? '-glibc' : ''}`
  return join(await fromRegistry(name, version), name, 'deno')
}
