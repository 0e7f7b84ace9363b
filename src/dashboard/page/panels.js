/** @import { CacheUpdate, Figures, Sample } from '../report.ts' */
/** @import { CacheModel } from './model.js' */
/** @import { View } from './together.js' */
/** @import { Zoom } from './zoom.js' */
import { AnswersChart, OUTCOMES, RatioChart } from './charts.js'
import { byId, element, setText, syncTable } from './dom.js'
import { bytes, count, duration, percent, rate, time, visible } from './format.js'
import { RefillsChart } from './refills-chart.js'
import { answersOf, processesOf, ratioOf, sumOf } from './model.js'
import { showUnshared } from './unshared.js'

/** ms over which the present rates are taken. */
const RECENT = 10_000
/** Failures that are shown. */
const FAILURES_SHOWN = 20
const KINDS = { 'refill-failed': 'load failed', 'lease-lost': 'lease lost', error: 'error' }

/** All that is shown of one cache. */
export class Panels {
  #answers
  #ratio
  #refills = new RefillsChart(byId('refills-chart'))
  /** @type {Map<string, HTMLElement>} */
  #legend = new Map()

  /** @param {Zoom} zoom */
  constructor(zoom) {
    this.#answers = new AnswersChart(byId('answers-chart'), zoom, (sample) => this.#readAnswers(sample))
    this.#ratio = new RatioChart(byId('ratio-chart'), zoom, (sample) => this.#readRatio(sample))
    for (const { name, label } of OUTCOMES) {
      const figure = element('b', {})
      this.#legend.set(name, figure)
      byId('answers-legend').append(element('li', {}, element('i', { class: `swatch ${name}` }), `${label} `, figure))
    }
  }

  /** @param {View} view @param {CacheModel} cache @param {number} at */
  show(view, cache, at) {
    this.#answers.show(view.samples, at)
    this.#ratio.show(view.samples, at)
    this.#refills.show(view, at)
    const { now } = view
    if (now === undefined || cache.shared === undefined) return
    showTiles(now, recentOf(view))
    showSlots(now)
    showRedis(now, cache.shared)
    showFlights(now)
    showLeases(cache.shared, cache)
    showKeys(now)
    showUnshared(now)
    showFailures(view)
  }

  /** @param {Sample | undefined} sample */
  #readAnswers(sample) {
    for (const [name, figure] of this.#legend) {
      const calls = sample === undefined ? 0 : sample[/** @type {'hits'} */ (name)]
      setText(figure, `${rate((calls * 1000) / Math.max(sample?.span ?? 1, 1))}/s`)
    }
  }

  /** @param {Sample | undefined} sample */
  #readRatio(sample) {
    setText(byId('ratio-readout'), sample === undefined ? '' : `${time(sample.at)} · ${percent(ratioOf(sample))}`)
  }
}

/** The last samples: seconds are those that passed, however many processes there are. @param {View} view */
function recentOf({ samples }) {
  const last = samples.at(-1)
  return sumOf(samples.filter((sample) => sample.at > (last?.at ?? 0) - RECENT))
}

/** @param {string} id @param {string} figure @param {string} unit @param {string} detail @param {string} state */
function tile(id, figure, unit, detail, state = '') {
  const box = byId(`tile-${id}`)
  box.dataset['state'] = state
  const number = /** @type {Element} */ (box.querySelector('.figure'))
  if (number.firstChild === null) number.append(document.createTextNode(''), element('small', {}))
  const [text, small] = /** @type {[Text, Element]} */ (/** @type {unknown} */ (number.childNodes))
  if (text.data !== figure) text.data = figure
  setText(small, unit)
  setText(/** @type {Element} */ (box.querySelector('.detail')), detail)
}

/** @param {Figures} now @param {Sample} recent */
function showTiles(now, recent) {
  const { stats } = now
  const seconds = recent.span / 1000
  const total = answersOf({ ...recent, ...stats })
  const overall = total === 0 ? 'no calls yet' : `${percent((stats.hits + stats.staleHits) / total)} since the start`
  tile('ratio', percent(ratioOf(recent)), '', overall)
  tile('answers', seconds === 0 ? '–' : rate(answersOf(recent) / seconds), '/s', `${count(total)} since the start`)
  const failed = stats.refillFailures === 0 ? '' : `, ${count(stats.refillFailures)} failed`
  tile('refills', seconds === 0 ? '–' : rate(recent.refills / seconds), '/s', `${count(stats.refills)} in all${failed}`)
  const waiting = now.flights.rows.reduce((sum, { waiters }) => sum + waiters, 0)
  tile('flights', count(now.flights.count), '', `${count(waiting)} ${waiting === 1 ? 'call waits' : 'calls wait'}`)
  const size = stats.bytes === undefined ? 'entries' : `entries, ${bytes(stats.bytes)}`
  tile('memory', count(stats.entries), '', size)
}

/** @param {Figures} now */
function showSlots({ stats: { limit } }) {
  byId('tile-slots').hidden = limit === undefined
  if (limit === undefined) return
  const waiting = `${count(limit.waiting)} ${limit.waiting === 1 ? 'load waits' : 'loads wait'}`
  const refused = limit.refused === 0 ? '' : `, ${count(limit.refused)} refused`
  tile('slots', `${count(limit.running)}/${count(limit.maxLoads)}`, '', waiting + refused)
}

/** @param {Figures} now @param {Pick<CacheUpdate, 'redis' | 'redisError' | 'leases'>} shared */
function showRedis({ stats }, { redis, redisError, leases }) {
  const instances = [...new Set((stats.redis ?? []).map(({ instance }) => instance))].join(', ')
  const resting = (stats.redis ?? []).find(({ breaker }) => breaker !== 'closed')
  const deaf = (stats.redis ?? []).find(({ messages }) => messages === 'failing')
  if (redis === 'absent') tile('redis', 'none', '', 'memory only')
  else if (resting !== undefined) tile('redis', resting.breaker, '', `breaker of ${resting.instance}`, 'bad')
  else if (redis === 'fails') tile('redis', 'fails', '', visible(redisError ?? ''), 'bad')
  else if (deaf !== undefined) tile('redis', 'no messages', '', `from ${deaf.instance}: see the event error`, 'bad')
  else if (redis === 'unknown') tile('redis', '–', '', 'not asked yet')
  else
    tile(
      'redis',
      'answers',
      '',
      instances || `${count(leases.count)} ${leases.count === 1 ? 'lease' : 'leases'} held`,
      'good',
    )
}

/** @param {Figures} now */
function showFlights({ flights }) {
  setText(byId('flights-count'), more(flights))
  syncTable(
    'flights',
    /** @type {readonly (Figures['flights']['rows'][number] & { process?: string })[]} */ (flights.rows),
    ({ age, waiters }) => [
      { kind: 'key' },
      { kind: 'number', text: duration(age) },
      { kind: 'number', text: count(waiters) },
    ],
    ({ key, process }) => `${process} ${key}`,
  )
}

/** @param {Pick<CacheUpdate, 'leases'>} shared @param {CacheModel} cache */
function showLeases({ leases }, cache) {
  const names = new Map(processesOf(cache).map(({ id, process }) => [id, process]))
  setText(byId('leases-count'), leases.complete ? more(leases) : 'still looking through Redis…')
  syncTable('leases', leases.rows, ({ own, holder, remaining, waitingProcesses }) => [
    { kind: 'key' },
    { text: own ? 'this process' : visible(names.get(holder) ?? holder.slice(0, 8)) },
    { kind: 'number', text: remaining === undefined ? 'no end' : duration(remaining) },
    { kind: 'number', text: count(waitingProcesses) },
  ])
}

/** @param {{ rows: readonly unknown[], count: number }} list */
function more({ rows, count: all }) {
  return all > rows.length ? `the first ${rows.length} of ${count(all)}` : ''
}

/** @param {Figures} now */
function showKeys({ hottest, slowest }) {
  const hottestRate = Math.max(...hottest.map((key) => key.rate))
  syncTable('hottest', hottest, (key) => [
    { kind: 'key', share: key.rate / hottestRate },
    { kind: 'number', text: rate(key.rate) },
  ])
  syncTable('slowest', slowest, ({ loads, mean, longest }) => [
    { kind: 'key' },
    { kind: 'number', text: count(loads) },
    { kind: 'number', text: duration(mean) },
    { kind: 'number', text: duration(longest) },
  ])
}

/** @param {View} view */
function showFailures({ failures, now }) {
  const all = (now?.stats.refillFailures ?? 0) + (now?.stats.leasesLost ?? 0) + (now?.stats.errors ?? 0)
  setText(byId('failures-count'), all === 0 ? '' : `${count(all)} since the start`)
  const items = failures.slice(-FAILURES_SHOWN).reverse()
  syncTable(
    'failures',
    items,
    ({ at, kind, message, process }) => [
      { kind: 'time', text: time(at) },
      { tag: kind === 'lease-lost' ? 'warn' : 'bad', text: KINDS[kind] },
      { kind: 'key' },
      { kind: 'message', text: visible(process === undefined ? message : `${process}: ${message}`) },
    ],
    ({ at, kind, key, message, process }) => `${at} ${kind} ${key} ${message} ${process}`,
  )
}
