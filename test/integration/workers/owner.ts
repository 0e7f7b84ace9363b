import { spawn } from 'node:child_process'
import { own } from '../../support/owned-process.ts'

// Starts a process that would outlive this one, and waits to be killed.
own(
  spawn(process.execPath, ['-e', "setInterval(() => {}, 1000), console.log('started')"], {
    stdio: ['ignore', 'inherit', 'inherit'],
  }),
)
