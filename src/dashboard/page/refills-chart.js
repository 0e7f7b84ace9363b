/** @import { View } from './together.js' */
import { BELOW, BESIDE, Chart, MINUTE, svg, timeWords } from './charts.js'
import { duration, time, visible } from './format.js'

/** Height of a bar, and of the room for it, in px. */
const BAR = 9
const LANE = BAR + 3
/** Height of the name above the loads of a process. */
const NAME = 15
/** The chart's height for one process, and lanes for each of several. */
const HEIGHT = 132
const LANES_EACH = 3
/** Processes that have a band of their own; others share the last. */
const BANDS = 12

/**
 * A load, ended or under way.
 * @typedef {object} Load
 * @property {string} key
 * @property {string} process
 * @property {number} from ms since 1970
 * @property {number} to
 * @property {number | undefined} loadTime unknown of a failed one
 * @property {boolean} isRunning
 */

/** Who refilled what: loads of the last minute as bars, in a band for each process; failed ones as crosses. */
export class RefillsChart extends Chart {
  #box
  /** @type {Pick<View, 'refills' | 'now' | 'processes'>} */
  #shown = { refills: [], now: undefined, processes: [] }
  #at = 0

  /** @param {HTMLElement} box */
  constructor(box) {
    super(box)
    this.#box = box
  }

  /** @param {View} view @param {number} at */
  show(view, at) {
    this.#shown = view
    this.#at = at
    const bands = Math.min(view.processes.length, BANDS)
    const height = `${bands < 2 ? HEIGHT : bands * (NAME + LANES_EACH * LANE) + BELOW}px`
    if (this.#box.style.height !== height) this.#box.style.height = height
    this.redraw()
  }

  /** @returns {Load[]} */
  #loads() {
    const ended = this.#shown.refills
      .filter(({ at }) => at > this.#at - MINUTE)
      .map(({ key, at, loadTime, process = '' }) => {
        return { key, process, from: at - (loadTime ?? 0), to: at, loadTime, isRunning: false }
      })
    /** @type {readonly { key: string, age: number, process?: string }[]} */
    const flights = this.#shown.now?.flights.rows ?? []
    const running = flights.map(({ key, age, process = '' }) => {
      return { key, process, from: this.#at - age, to: this.#at, loadTime: age, isRunning: true }
    })
    return [...ended, ...running].toSorted((a, b) => a.from - b.from)
  }

  /** The loads of each band, under its name. @param {readonly Load[]} loads @returns {[name: string, loads: readonly Load[]][]} */
  #bands(loads) {
    const { processes } = this.#shown
    if (processes.length < 2) return [['', loads]]
    const names = processes.map(({ process }) => process)
    const own = names.length > BANDS ? names.slice(0, BANDS - 1) : names
    const bands = own.map(
      (name) => /** @type {[string, Load[]]} */ ([visible(name), loads.filter(({ process }) => process === name)]),
    )
    if (own.length === names.length) return bands
    return [...bands, [`${names.length - own.length} others`, loads.filter(({ process }) => !own.includes(process))]]
  }

  /** @override @type {Chart['draw']} */
  draw({ width, height }) {
    const loads = this.#loads()
    const bands = this.#bands(loads)
    const bottom = height - BELOW
    const each = bottom / bands.length
    const failed = loads.filter(({ loadTime }) => loadTime === undefined).length
    const running = loads.filter(({ isRunning }) => isRunning).length
    const by = bands.length > 1 ? `, by ${bands.length} processes` : ''
    return {
      label: `Refills of the last minute${by}: ${loads.length - failed - running} done, ${failed} failed, ${running} under way`,
      parts: [
        ...bands.flatMap(([name, its], i) => {
          const top = i * each
          return [
            svg('line', { class: 'rule', x1: BESIDE, x2: width, y1: top + each, y2: top + each }),
            ...(name === '' ? [] : [svg('text', { x: BESIDE, y: top + 11 }, name)]),
            ...this.#bars(its, { top: name === '' ? top : top + NAME, bottom: top + each, width }),
          ]
        }),
        ...timeWords(MINUTE, width, height),
      ],
    }
  }

  /** Each in the first lane that is free. @param {readonly Load[]} loads @param {{ top: number, bottom: number, width: number }} band */
  #bars(loads, { top, bottom, width }) {
    const begin = this.#at - MINUTE
    /** @param {number} at */
    const x = (at) => BESIDE + (Math.max(at - begin, 0) / MINUTE) * (width - BESIDE)
    const lanes = Array.from({ length: Math.max(Math.floor((bottom - top) / LANE), 1) }, () => -Infinity)
    return loads.map(({ key, process, from, to, loadTime, isRunning }) => {
      const left = x(from)
      const wide = Math.max(x(to) - left, 2.5)
      const free = lanes.findIndex((end) => end + 2 <= left)
      const lane = free === -1 ? lanes.length - 1 : free
      lanes[lane] = Math.max(/** @type {number} */ (lanes[lane]), left + wide)
      const y = bottom - (lane + 1) * LANE
      const how = loadTime === undefined ? 'failed' : `${duration(loadTime)}${isRunning ? ', under way' : ''}`
      const who = process === '' ? '' : `, by ${visible(process)}`
      const title = svg('title', {}, `${visible(key)}: ${how}${who}, ${time(to)}`)
      if (loadTime === undefined)
        return svg('path', { class: 'failure', d: `M${left - 3.5} ${y + 1}l7 7m-7 0l7 -7` }, title)
      const box = { x: left, y, width: wide, height: BAR, rx: Math.min(2.5, wide / 2) }
      return svg('rect', { class: isRunning ? 'underway' : 'load', ...box }, title)
    })
  }
}
