/** @import { CacheModel, ProcessModel } from './model.js' */
import { byId, element, setText, syncTable } from './dom.js'
import { count, percent, rate, visible } from './format.js'
import { answersOf, processesOf, ratioOf, sumOf } from './model.js'
import { alone, together } from './together.js'

/** ms over which the present rates are taken. */
const RECENT = 10_000
/** Processes that the table shows. */
const ROWS = 100

/** Which processes are shown, and what each does. */
export class Processes {
  #choice = /** @type {HTMLSelectElement} */ (byId('process-choice'))
  #names = ''

  /** @param {() => void} onChoice */
  constructor(onChoice) {
    this.#choice.addEventListener('change', onChoice)
    document.addEventListener('choose-process', (event) => {
      this.#choice.value = /** @type {CustomEvent<string>} */ (event).detail
      onChoice()
      this.#choice.focus()
    })
  }

  /** The id of the process that is chosen; empty for all. */
  get chosen() {
    return byId('process-label').hidden ? '' : this.#choice.value
  }

  /** What is chosen of a cache. @param {CacheModel} cache @param {number} at */
  viewOf(cache, at) {
    const all = processesOf(cache)
    this.#offer(cache, all)
    const chosen = all.find(({ id }) => id === this.#choice.value)
    if (all.length === 1) return alone(cache.own)
    return chosen === undefined ? together(all, at) : alone(chosen)
  }

  /** @param {CacheModel} cache @param {readonly ProcessModel[]} all */
  #offer(cache, all) {
    const names = JSON.stringify(all.map(({ id, process }) => [id, process]))
    if (names === this.#names) return
    this.#names = names
    const { value } = this.#choice
    this.#choice.replaceChildren(
      element('option', { value: '' }, `all ${all.length}`),
      ...all.map((each) => element('option', { value: each.id }, nameOf(each, cache))),
    )
    this.#choice.value = all.some(({ id }) => id === value) ? value : ''
    byId('process-label').hidden = all.length === 1
  }

  /** @param {CacheModel} cache @param {number} at */
  show(cache, at) {
    const all = processesOf(cache)
    const { fleet } = cache.shared ?? {}
    byId('processes-card').hidden = all.length === 1 && fleet?.error === undefined
    const known = Math.max(fleet?.count ?? 1, all.length)
    const shown = Math.min(all.length, ROWS)
    setText(
      byId('processes-count'),
      fleet?.error !== undefined
        ? `others cannot be called: ${visible(fleet.error)}`
        : known > shown
          ? `${count(shown)} of ${count(known)}`
          : count(known),
    )
    syncTable(
      'processes',
      /** @type {readonly (ProcessModel & { key?: string })[]} */ (all.slice(0, ROWS)),
      (process) => rowOf(process, at),
      ({ id }) => id,
      (process) => chooser(process, cache),
    )
  }
}

/** @param {ProcessModel} process @param {CacheModel} cache */
function nameOf(process, cache) {
  return process === cache.own ? `${visible(process.process)} (serves this page)` : visible(process.process)
}

/** @param {ProcessModel} process @param {CacheModel} cache */
function chooser(process, cache) {
  const button = element('button', { type: 'button', class: 'key' }, nameOf(process, cache))
  button.addEventListener('click', () => {
    button.dispatchEvent(new CustomEvent('choose-process', { bubbles: true, detail: process.id }))
  })
  return button
}

/** @param {ProcessModel} process @param {number} at */
function rowOf({ samples, now }, at) {
  const recent = sumOf(samples.filter((sample) => sample.at > at - RECENT))
  const seconds = Math.max(recent.span / 1000, 0.001)
  const waiting = (now?.flights.rows ?? []).reduce((sum, { waiters }) => sum + waiters, 0)
  const { limit, entries = 0, redis = [] } = now?.stats ?? {}
  const bad = redis.find(({ breaker, messages }) => breaker !== 'closed' || messages === 'failing')
  return [
    { kind: 'own' },
    { kind: 'number', text: rate(answersOf(recent) / seconds) },
    { kind: 'number', text: percent(ratioOf(recent)) },
    { kind: 'number', text: rate(recent.refills / seconds) },
    { kind: 'number', text: `${count(now?.flights.count ?? 0)} (${count(waiting)})` },
    { kind: 'number', text: limit === undefined ? '–' : `${count(limit.running)} (${count(limit.waiting)})` },
    { kind: 'number', text: count(entries) },
    { text: bad === undefined ? 'in order' : bad.breaker === 'closed' ? 'no messages' : `breaker ${bad.breaker}` },
  ]
}
