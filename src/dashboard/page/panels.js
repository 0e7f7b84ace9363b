/** @import { CacheUpdate, Sample } from '../report.ts' */
/** @import { CacheModel } from './model.js' */
import { AnswersChart, OUTCOMES, RatioChart, RefillsChart } from './charts.js'
import { byId, element, setText, syncTable } from './dom.js'
import { bytes, count, duration, percent, rate, time, visible } from './format.js'
import { answersOf, ratioOf } from './model.js'

/** ms over which the present rates are taken. */
const RECENT = 10_000
/** Failures that are shown. */
const FAILURES_SHOWN = 20
const KINDS = { 'refill-failed': 'load failed', 'lease-lost': 'lease lost', error: 'error' }

/** All that is shown of one cache. */
export class Panels {
  #answers = new AnswersChart(byId('answers-chart'), (sample) => this.#readAnswers(sample))
  #ratio = new RatioChart(byId('ratio-chart'), (sample) => this.#readRatio(sample))
  #refills = new RefillsChart(byId('refills-chart'))
  /** @type {Map<string, HTMLElement>} */
  #legend = new Map()

  constructor() {
    for (const { name, label } of OUTCOMES) {
      const figure = element('b', {})
      this.#legend.set(name, figure)
      byId('answers-legend').append(element('li', {}, element('i', { class: `swatch ${name}` }), `${label} `, figure))
    }
  }

  /** @param {CacheModel} cache @param {number} at */
  show(cache, at) {
    this.#answers.show(cache.samples, at)
    this.#ratio.show(cache.samples, at)
    this.#refills.show(cache, at)
    const { now } = cache
    if (now === undefined) return
    showTiles(now, sumOf(cache.samples.filter((sample) => sample.at > at - RECENT)))
    showFlights(now)
    showLeases(now)
    showKeys(now)
    showFailures(cache)
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

/** One sample of several. @param {readonly Sample[]} samples */
function sumOf(samples) {
  const sum = { at: 0, span: 0, hits: 0, staleHits: 0, misses: 0, coalesced: 0, refills: 0, refillFailures: 0 }
  for (const sample of samples) {
    for (const name of /** @type {(keyof Sample)[]} */ (Object.keys(sum))) sum[name] += sample[name]
  }
  return sum
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

/** @param {CacheUpdate} now @param {Sample} recent */
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
  showRedis(now)
}

/** @param {CacheUpdate} now */
function showRedis({ redis, redisError, stats, leases }) {
  const instances = (stats.redis ?? []).map(({ instance }) => instance).join(', ')
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

/** @param {CacheUpdate} now */
function showFlights({ flights }) {
  setText(byId('flights-count'), more(flights))
  syncTable('flights', flights.rows, ({ age, waiters }) => [
    { kind: 'key' },
    { kind: 'number', text: duration(age) },
    { kind: 'number', text: count(waiters) },
  ])
}

/** @param {CacheUpdate} now */
function showLeases({ leases }) {
  setText(byId('leases-count'), leases.complete ? more(leases) : 'still looking through Redis…')
  syncTable('leases', leases.rows, ({ own, holder, remaining, waitingProcesses }) => [
    { kind: 'key' },
    { text: own ? 'this process' : visible(holder.slice(0, 8)) },
    { kind: 'number', text: remaining === undefined ? 'no end' : duration(remaining) },
    { kind: 'number', text: count(waitingProcesses) },
  ])
}

/** @param {{ rows: readonly unknown[], count: number }} list */
function more({ rows, count: all }) {
  return all > rows.length ? `the first ${rows.length} of ${count(all)}` : ''
}

/** @param {CacheUpdate} now */
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

/** @param {CacheModel} cache */
function showFailures({ failures, now }) {
  const all = (now?.stats.refillFailures ?? 0) + (now?.stats.leasesLost ?? 0) + (now?.stats.errors ?? 0)
  setText(byId('failures-count'), all === 0 ? '' : `${count(all)} since the start`)
  const items = failures.slice(-FAILURES_SHOWN).reverse()
  syncTable(
    'failures',
    items,
    ({ at, kind, message }) => [
      { kind: 'time', text: time(at) },
      { tag: kind === 'lease-lost' ? 'warn' : 'bad', text: KINDS[kind] },
      { kind: 'key' },
      { kind: 'message', text: visible(message) },
    ],
    ({ at, kind, key, message }) => `${at} ${kind} ${key} ${message}`,
  )
}
