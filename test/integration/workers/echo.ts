import { parent, ready } from '../../support/worker-side.ts'

ready()
for (;;) {
  const { text } = await parent.next('say')
  parent.send({ type: 'said', text, pid: process.pid, args: process.argv.slice(2) })
}
