// Runs the program at the first argument to its end. If it listens on the port of the second, asks for its routes.
// A program of CommonJS has no top-level await: it ends by itself, once it is done and has closed all that it opened.
import { readFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { pathToFileURL } from 'node:url'

const [program, port] = process.argv.slice(2)
await import(pathToFileURL(program).href)

const code = await readFile(program, 'utf8')
const listens = new RegExp(`\\b(?:listen\\(|port: )${port}\\b`).test(code)
if (listens) {
  await listening()
  for (const path of routesOf(code)) {
    const responses = await Promise.all([1, 2].map(() => fetch(`http://127.0.0.1:${port}${path}`)))
    for (const response of responses) {
      console.log(path, response.status, response.headers.get('cache-status'), await response.text())
      if (!response.ok) throw new Error(`GET ${path}: ${response.status}`)
    }
  }
}
if (listens || !program.endsWith('.cjs')) process.exit(process.exitCode)

/** The paths that need no argument; of an app without routes, its root. */
function routesOf(code) {
  const routes = [...code.matchAll(/\b[gG]et\('(\/[^':*]*)'/g)].map(([, path]) => path)
  return routes.length > 0 ? routes : ['/']
}

async function listening() {
  for (;;) {
    const socket = createConnection({ host: '127.0.0.1', port })
    const connected = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (connected) return
  }
}
