import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import { freePort } from '../../test/support/free-port.ts'

/** A cache that is a program of its own, before the origin. */
export interface Proxy {
  readonly name: string
  readonly program: string
  /** How to get it on Debian. */
  readonly remedy: string
  /** Writes what the program needs into `folder`; returns its arguments. */
  prepare(folder: string, port: number, originPort: number): Promise<string[]>
}

export const proxies: readonly Proxy[] = [
  {
    name: 'nginx, 1 worker',
    program: 'nginx',
    remedy: 'apt-get install nginx-light',
    async prepare(folder, port, originPort) {
      await Promise.all(['logs', 'cache', 'temp'].map((name) => mkdir(join(folder, name))))
      const file = join(folder, 'nginx.conf')
      await writeFile(file, nginxConfiguration(folder, port, originPort))
      return ['-p', folder, '-c', file, '-e', join(folder, 'logs', 'error.log')]
    },
  },
  {
    name: 'Varnish',
    program: 'varnishd',
    remedy: 'apt-get install varnish',
    async prepare(folder, port, originPort) {
      const storage = ['-s', 'malloc,256m']
      const jail = process.getuid?.() === 0 ? ['-j', 'none'] : []
      const listen = ['-a', `127.0.0.1:${port}`, '-b', `127.0.0.1:${originPort}`]
      return [...jail, '-F', '-n', join(folder, 'varnish'), ...listen, ...storage]
    },
  },
]

function nginxConfiguration(folder: string, port: number, originPort: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    daemon off;
    worker_processes 1;
    pid ${folder}/nginx.pid;
    events { worker_connections 8192; }
    http {
      access_log off;
      keepalive_requests 1000000000;
      ${temporary.map((name) => `${name}_temp_path ${folder}/temp/${name};`).join(' ')}
      proxy_cache_path ${folder}/cache levels=1:2 keys_zone=pages:10m use_temp_path=off;
      upstream origin { server 127.0.0.1:${originPort}; keepalive 64; }
      server {
        listen 127.0.0.1:${port} backlog=4096;
        location / {
          proxy_pass http://origin;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_cache pages;
          proxy_cache_lock on;
          proxy_cache_use_stale updating;
          proxy_cache_background_update on;
        }
      }
    }
  `
}

export interface Running {
  readonly port: number
  stop(): Promise<void>
}

/** Starts the program, as it is found on the PATH, before the origin. */
export async function startProxy(proxy: Proxy, originPort: number): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), 'herdlock-bench-'))
  const port = await freePort()
  const args = await proxy.prepare(folder, port, originPort)
  const child = spawn(whereIs(proxy.program) as string, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr?.on('data', (chunk) => (said += String(chunk)))
  await untilListening(port, child, () => said)
  return {
    port,
    async stop() {
      if (child.exitCode === null && child.kill()) await once(child, 'exit')
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** The program's path; Debian keeps servers where the PATH of users does not lead. */
export function whereIs(program: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, program)).find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

async function untilListening(port: number, child: ChildProcess, said: () => string): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return
    } catch {
      if (child.exitCode !== null) throw new Error(`${child.spawnfile} has ended: ${said()}`)
      await delay(50)
    } finally {
      socket.destroy()
    }
  }
}
