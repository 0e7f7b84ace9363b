import { Flights } from '../../dist/flight/flights.js'
import { Refill } from '../../dist/cache/refill.js'
const N = 100000
function measure(name: string, f: (i: number) => any) { const keep: any[] = new Array(N); global.gc!(); const b = process.memoryUsage().heapUsed; for (let i = 0; i < N; i++) keep[i] = f(i); global.gc!(); console.log(name, ((process.memoryUsage().heapUsed - b) / N).toFixed(0), 'B'); return keep }
const flights = new Flights()
measure('flight', (i) => flights.start(`k${i}`, []))
const fl = flights.start('x', [])
measure('refill', (i) => new Refill({ memory: undefined } as any, { key: 'x' } as any, fl as any))
measure('join', (i) => fl.join(() => 1 as any, undefined))
