import { cacheLife, cacheTag } from 'next/cache'
import { Suspense } from 'react'
import { setTimeout } from 'node:timers/promises'

/** Runs once for each name, in one of all processes. */
async function report(name) {
  'use cache'
  cacheTag('reports')
  cacheLife({ stale: 300, revalidate: 600, expire: 3600 })
  console.log(`rendering ${name}`)
  await setTimeout(Number(process.env.RENDER_MS ?? 200)) // the slow query
  console.log(`rendered ${name}`)
  return `${name} by ${process.pid} at ${Date.now()}`
}

async function Report({ searchParams }) {
  const { name = 'report' } = await searchParams
  return <p>{await report(name)}</p>
}

export default function Page({ searchParams }) {
  return (
    <Suspense fallback={<p>...</p>}>
      <Report searchParams={searchParams} />
    </Suspense>
  )
}
