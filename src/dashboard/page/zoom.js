import { byId } from './dom.js'

/** The shortest span that can be shown, in ms. */
const SHORTEST = 5000

/**
 * A span of time, in ms since 1970.
 * @typedef {{ from: number, to: number }} Span
 */

/** Which span of time all charts show: as much as there is up to now, or what was chosen, by pointer or by keys. */
export class Zoom {
  /** @type {Span | undefined} */
  #chosen
  /** What is shown without a choice. @type {Span} */
  #all = { from: 0, to: 0 }
  #onChange
  #back = byId('zoom-back')

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange
    this.#back.addEventListener('click', () => this.choose(undefined))
  }

  /** What is to be shown where `all` is all there is. @param {Span} all @returns {Span} */
  shown(all) {
    this.#all = all
    return this.#chosen ?? all
  }

  get isChosen() {
    return this.#chosen !== undefined
  }

  /** @param {Span | undefined} span */
  choose(span) {
    if (span !== undefined && span.to - span.from < SHORTEST) return
    const had = this.#back === document.activeElement
    this.#chosen = span
    this.#back.hidden = span === undefined
    this.#onChange()
    if (had && span === undefined) byId('answers-chart').focus()
  }

  /** Plus, minus, arrows, Escape: as on maps. @param {KeyboardEvent} event */
  press(event) {
    const { from, to } = this.#chosen ?? this.#all
    const length = to - from
    if (event.key === 'Escape') this.choose(undefined)
    else if (event.key === '+' || event.key === '=') this.#within(from + length / 4, to - length / 4)
    else if (event.key === '-') this.#within(from - length / 2, to + length / 2)
    else if (event.key === 'ArrowLeft') this.#within(from - length / 4, to - length / 4)
    else if (event.key === 'ArrowRight') this.#within(from + length / 4, to + length / 4)
    else return
    event.preventDefault()
  }

  /** Moved, so that it lies in what there is. @param {number} from @param {number} to */
  #within(from, to) {
    const length = Math.min(to - from, this.#all.to - this.#all.from)
    if (length >= this.#all.to - this.#all.from) return this.choose(undefined)
    const begin = Math.min(Math.max(from, this.#all.from), this.#all.to - length)
    this.choose({ from: begin, to: begin + length })
  }
}
