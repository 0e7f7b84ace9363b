/** @import { Sample } from '../report.ts' */
/** @import { View } from './together.js' */

/** ms after which what is known is asked for anew. */
const ASKED_EVERY = 60_000

/** What was so before the page was opened, if processes write it down. */
export class History {
  #isKept = false
  #what = ''
  #askedAt = -Infinity
  /** @type {readonly Sample[]} */
  #samples = []
  #onNews

  /** @param {() => void} onNews */
  constructor(onNews) {
    this.#onNews = onNews
  }

  /** @param {boolean} isKept */
  allow(isKept) {
    this.#isKept = isKept
    this.#what = ''
  }

  /** A view with what came before it. @param {View} view @param {string} cache @param {string} process @returns {View} */
  before(view, cache, process) {
    if (!this.#isKept) return view
    this.#ask(new URLSearchParams({ cache, process }).toString())
    const [first] = view.samples
    const begin = first === undefined ? Infinity : first.at - first.span
    return { ...view, samples: [...this.#samples.filter(({ at }) => at <= begin), ...view.samples] }
  }

  /** @param {string} what */
  #ask(what) {
    if (what !== this.#what) {
      this.#what = what
      this.#samples = []
    } else if (performance.now() - this.#askedAt < ASKED_EVERY) return
    this.#askedAt = performance.now()
    fetch(`history?${what}`)
      .then((response) => response.json())
      .then(({ samples = [] }) => {
        if (what !== this.#what) return
        this.#samples = samples
        this.#onNews()
      })
      .catch(() => {}) // it is asked for again
  }
}
