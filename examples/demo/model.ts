// The stand-in for a language model in the demo's third lane: it says one word after the other, and charges for each.
import { setTimeout as delay } from 'node:timers/promises'

const STORY =
  'Once upon a time a herd came to a well. One of them drew the water, and all the others drank as it came up. ' +
  'Whoever was late drank first what had been drawn, and then with the rest.'
/** ms from one word to the next. */
const PACE = 80

/** As the page is told of it. */
export interface ModelState {
  readonly asked: number
  readonly words: number
}

export class Model {
  #asked = 0
  #words = 0

  async *tell(): AsyncGenerator<string> {
    this.#asked++
    for (const word of STORY.split(' ')) {
      this.#words++
      yield word
      await delay(PACE)
    }
  }

  get state(): ModelState {
    return { asked: this.#asked, words: this.#words }
  }
}
