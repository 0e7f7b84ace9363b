import { Agent, get, type IncomingMessage } from 'node:http'

export interface Answer {
  readonly status: number
  readonly body: string
  /** ms from the moment the herd set off to the first and to the last byte. */
  readonly firstByte: number
  readonly lastByte: number
  /** Whether it came to its proper end. */
  readonly complete: boolean
}

/** Clients that ask at the same time, on connections that are open already. */
export class Herd {
  readonly #port: number
  readonly #count: number
  readonly #agent: Agent

  constructor(port: number, count: number) {
    this.#port = port
    this.#count = count
    this.#agent = new Agent({ keepAlive: true, maxSockets: count, maxFreeSockets: count })
  }

  /** Opens the connections: each client asks for something of its own, as nobody shall wait for another here. */
  async gather(): Promise<this> {
    for (let round = 0; round < 2; round++) await this.#all((index) => this.#askOnce(`/nothing?${index}`))
    return this
  }

  ask(path: string, headersOf: (index: number) => Record<string, string> = () => ({})): Promise<Answer[]> {
    const startedAt = performance.now()
    return this.#all((index) => this.#askOnce(path, headersOf(index), startedAt))
  }

  #all(ask: (index: number) => Promise<Answer>): Promise<Answer[]> {
    return Promise.all(Array.from({ length: this.#count }, (_, index) => ask(index)))
  }

  /** One client that leaves as soon as its answer has begun. */
  leaveDuring(path: string): Promise<void> {
    return new Promise((resolve) => {
      const request = get({ port: this.#port, host: '127.0.0.1', path, agent: false })
      request.on('error', () => resolve())
      request.once('response', (response: IncomingMessage) => {
        response.on('error', () => {})
        response.once('data', () => {
          request.destroy()
          resolve()
        })
      })
    })
  }

  #askOnce(path: string, headers: Record<string, string> = {}, startedAt = performance.now()): Promise<Answer> {
    return new Promise((resolve) => {
      let status = 0
      let body = ''
      let firstByte = Number.NaN
      const end = (complete: boolean): void => {
        resolve({ status, body, firstByte, lastByte: performance.now() - startedAt, complete })
      }
      const request = get({ port: this.#port, host: '127.0.0.1', path, headers, agent: this.#agent })
      request.once('error', () => end(false))
      request.once('response', (response: IncomingMessage) => {
        status = response.statusCode ?? 0
        response.on('data', (chunk: Buffer) => {
          if (body === '') firstByte = performance.now() - startedAt
          body += chunk.toString('latin1')
        })
        response.on('error', () => {})
        response.once('close', () => end(response.complete))
      })
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
