// How do I keep an expensive SQL query from being run by everyone at once?
//
// Look at: `topCustomers`, a wrapped query, called like the query itself; and what the writer does after its write.
// Run:     npm run example examples/sql-loader.ts                                     (SQLite, in memory)
//          DATABASE_URL=postgres://user@localhost/db npm run example examples/sql-loader.ts
//          REDIS_URL=redis://localhost:6379 …                                         (shared by all processes)
import { createCache } from 'herdlock'
import { Redis } from 'ioredis'
import sqlite from 'node-sqlite3-wasm'
import pg from 'pg'

interface Database {
  query(sql: string, values?: (string | number)[]): Promise<Record<string, unknown>[]>
  close(): Promise<void>
}

function openPostgres(connectionString: string): Database {
  const pool = new pg.Pool({ connectionString, max: 4 })
  return { query: async (sql, values) => (await pool.query(sql, values)).rows, close: () => pool.end() }
}

function openSqlite(): Database {
  const file = new sqlite.Database(':memory:')
  return { query: async (sql, values) => file.all(sql, values), close: async () => file.close() }
}

const { DATABASE_URL, REDIS_URL } = process.env
const database = DATABASE_URL === undefined ? openSqlite() : openPostgres(DATABASE_URL)
const redis = REDIS_URL === undefined ? undefined : new Redis(REDIS_URL)
const cache = createCache({
  ttl: 60_000,
  staleWhileRevalidate: 600_000, // for ten minutes more: at once, and refilled in the background
  staleIfError: 3_600_000, // for an hour: also while the database is down
  prefix: 'sql-example',
  redis,
})

const table = `herdlock_example_${process.pid}`
await database.query(`CREATE TABLE ${table} (customer TEXT NOT NULL, cents INTEGER NOT NULL)`)
await database.query(`
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
  INSERT INTO ${table} SELECT 'customer ' || (i % 500), i % 997 FROM n`)

let queries = 0
async function queryTopCustomers(count: number): Promise<{ customer: string; total: number }[]> {
  queries++
  const rows = await database.query(
    `SELECT customer, SUM(cents) AS total FROM ${table} GROUP BY customer ORDER BY total DESC, customer LIMIT $1`,
    [count],
  )
  // PostgreSQL gives sums as text, which keeps large ones exact.
  return rows.map(({ customer, total }) => ({ customer: String(customer), total: Number(total) }))
}

const topCustomers = cache.wrap(queryTopCustomers, {
  key: (count) => `top-customers:${count}`,
  tags: ['orders'],
})

async function addOrder(customer: string, cents: number): Promise<void> {
  await database.query(`INSERT INTO ${table} VALUES ($1, $2)`, [customer, cents])
  // After the write, and for every list that was made of this table. A query that runs meanwhile is not kept.
  await cache.invalidateTags('orders')
}

try {
  console.log(`${DATABASE_URL === undefined ? 'SQLite' : 'PostgreSQL'}, cached in ${redis ? 'Redis' : 'memory'}`)
  await Promise.all(Array.from({ length: 100 }, () => topCustomers(3)))
  console.log(`100 callers, queries: ${queries}`)

  await Promise.all([topCustomers(3), topCustomers(10)])
  console.log(`again, and another list, queries: ${queries}`)

  await addOrder('customer 7', 9_000_000)
  const [first] = await topCustomers(3)
  console.log(`after an order of ${first?.customer}, queries: ${queries}`)
} finally {
  await database.query(`DROP TABLE ${table}`)
  await cache.clear()
  await cache.close()
  await redis?.quit()
  await database.close()
}
