import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'

export interface PostgresServer {
  readonly url: string
  stop(): Promise<void>
}

/** Starts a PostgreSQL, compiled to WebAssembly, in this process: it speaks the wire protocol on a port of loopback. */
export async function startPostgres(): Promise<PostgresServer> {
  const db = await PGlite.create()
  const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 10 })
  await server.start()
  return {
    url: `postgres://postgres@${server.getServerConn()}/postgres`,
    async stop() {
      await server.stop()
      await db.close()
    },
  }
}
