import { cacheLife } from 'next/cache'

/** The whole page is static: made once by one of all processes, and anew when its time is over. */
export default async function About() {
  'use cache'
  cacheLife('hours')
  console.log('rendered about')
  return <p>{`about by ${process.pid} at ${Date.now()}`}</p>
}
