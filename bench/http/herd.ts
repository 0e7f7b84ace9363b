import { Agent, get } from 'node:http'
import { once } from 'node:events'

/** Asks `count` times at once, on connections that are open already; resolves with the ms that each answer took. */
export class Herd {
  readonly #port: number
  readonly #count: number
  readonly #agent: Agent

  constructor(port: number, count: number) {
    this.#port = port
    this.#count = count
    this.#agent = new Agent({ keepAlive: true, maxSockets: count, maxFreeSockets: count })
  }

  async ask(path: string): Promise<number[]> {
    const startedAt = performance.now()
    const asked = Array.from({ length: this.#count }, async () => {
      const [response] = await once(get({ port: this.#port, host: '127.0.0.1', path, agent: this.#agent }), 'response')
      let bytes = 0
      for await (const chunk of response) bytes += (chunk as Buffer).length
      if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`)
      return bytes > 0 ? performance.now() - startedAt : Number.NaN
    })
    return Promise.all(asked)
  }

  close(): void {
    this.#agent.destroy()
  }
}
