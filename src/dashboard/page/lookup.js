/** @import { StoredEntry } from '../../store/stored-entry.ts' */
import { byId, element, setText } from './dom.js'
import { bytes, count, duration, time, visible } from './format.js'

/** Calls of another process, behind a load balancer, that may be met before one of them is believed. */
const ATTEMPTS = 5

/**
 * What the server tells of a key.
 * @typedef {object} Found
 * @property {string} [error]
 * @property {string} key
 * @property {'fresh' | 'stale' | 'unshareable' | 'failed' | 'absent'} state
 * @property {'memory' | 'redis'} [tier]
 * @property {StoredEntry} [memory]
 * @property {StoredEntry} [redis]
 * @property {{ own: boolean, holder: string, remaining?: number, waitingProcesses: number }} [lease]
 * @property {{ age: number, waiters: number }} [flight]
 * @property {string} [redisError]
 */

const STATES = {
  fresh: { tag: 'good', text: 'fresh' },
  stale: { tag: 'warn', text: 'stale' },
  unshareable: { tag: 'warn', text: 'not shared' },
  failed: { tag: 'bad', text: 'failed' },
  absent: { tag: 'bad', text: 'absent' },
}

/** Looks keys up, and invalidates them if that is allowed. */
export class Lookup {
  /** The name of the cache that is shown. */
  cache = ''
  #mayInvalidate = false
  #token = ''
  #found = byId('found')
  #input = /** @type {HTMLInputElement} */ (byId('key'))

  constructor() {
    byId('lookup').addEventListener('submit', (event) => {
      event.preventDefault()
      void this.#look(this.#input.value)
    })
    byId('tag-form').addEventListener('submit', (event) => {
      event.preventDefault()
      const tag = /** @type {HTMLInputElement} */ (byId('tag')).value
      void this.#invalidate({ tag }, `Everything that has the tag ${visible(tag)} is invalidated.`)
    })
    document.addEventListener('lookup', (event) => {
      const { detail: key } = /** @type {CustomEvent<string>} */ (event)
      this.#input.value = key
      void this.#look(key).then(() => byId('lookup-title').scrollIntoView({ block: 'nearest' }))
    })
  }

  /** @param {{ allowInvalidate: boolean, token: string }} greeting */
  allow({ allowInvalidate, token }) {
    this.#mayInvalidate = allowInvalidate
    this.#token = token
    byId('tag-form').hidden = !allowInvalidate
  }

  /** @param {string} cache */
  choose(cache) {
    if (cache === this.cache) return
    this.cache = cache
    this.#found.replaceChildren()
    setText(byId('done'), '')
  }

  /** @param {string} key */
  async #look(key) {
    setText(byId('done'), '')
    try {
      const response = await fetch(`key?${new URLSearchParams({ cache: this.cache, key })}`)
      const isJson = response.headers.get('content-type')?.startsWith('application/json')
      this.#show(isJson ? await response.json() : { error: (await response.text()).trim() })
    } catch (error) {
      this.#show({ error: String(error) })
    }
  }

  /** @param {Found | { error: string }} found */
  #show(found) {
    if (!('state' in found)) {
      this.#found.replaceChildren(element('p', {}, visible(found.error ?? 'Nothing was answered.')))
      return
    }
    const { key, state, memory, redis, lease, flight, redisError } = found
    const badge = element('span', { class: `tag ${STATES[state].tag}` }, STATES[state].text)
    const rows = [
      ['Memory', memory === undefined ? 'nothing' : describe(memory)],
      [
        'Redis',
        redisError !== undefined ? `not asked: ${redisError}` : redis === undefined ? 'nothing' : describe(redis),
      ],
    ]
    const tags = (redis ?? memory)?.tags ?? []
    if (tags.length > 0) rows.push(['Tags', tags.map(visible).join(', ')])
    if (lease !== undefined) {
      const holder = lease.own ? 'this process' : `process ${lease.holder}`
      const left = lease.remaining === undefined ? 'without end' : `${duration(lease.remaining)} left unless extended`
      rows.push([
        'Lease',
        `held by ${holder}, ${left}; ${plural(lease.waitingProcesses, 'process waits', 'processes wait')}`,
      ])
    }
    if (flight !== undefined) {
      rows.push(['Flight', `for ${duration(flight.age)}; ${plural(flight.waiters, 'call waits', 'calls wait')}`])
    }
    rows.push(['As of', time(Date.now())])
    this.#found.replaceChildren(
      element('h3', {}, element('bdi', {}, visible(key)), badge),
      element(
        'dl',
        {},
        ...rows.flatMap(([name = '', text = '']) => [element('dt', {}, name), element('dd', {}, visible(text))]),
      ),
    )
    if (this.#mayInvalidate) this.#found.append(this.#invalidateButton(key))
  }

  /** @param {string} key */
  #invalidateButton(key) {
    const button = element('button', { type: 'button' }, 'Invalidate this key')
    button.addEventListener('click', () => void this.#invalidateShown(key))
    return button
  }

  /** @param {string} key */
  async #invalidateShown(key) {
    if (!(await this.#invalidate({ key }, `${visible(key)} is invalidated.`))) return
    const text = byId('done').textContent ?? ''
    await this.#look(key)
    setText(byId('done'), text)
    this.#input.focus() // the button that had it is gone
  }

  /** @param {{ key: string } | { tag: string }} what @param {string} doneText */
  async #invalidate(what, doneText) {
    const answer = await this.#post({ cache: this.cache, ...what })
    setText(byId('done'), answer.done ? doneText : `Not invalidated: ${visible(answer.error ?? 'no answer')}`)
    return answer.done === true
  }

  /** @param {object} body @returns {Promise<{ done?: boolean, error?: string, token?: string }>} */
  async #post(body) {
    try {
      for (let attempt = 1; ; attempt++) {
        const headers = { 'Content-Type': 'application/json', 'X-Herdlock-Token': this.#token }
        const response = await fetch('invalidate', { method: 'POST', headers, body: JSON.stringify(body) })
        const isJson = response.headers.get('content-type')?.startsWith('application/json')
        const answer = isJson ? await response.json() : { error: (await response.text()).trim() }
        if (answer.token === undefined || attempt === ATTEMPTS) return answer
        this.#token = answer.token
      }
    } catch (error) {
      return { error: String(error) }
    }
  }
}

/** @param {StoredEntry} entry */
function describe({ state, ttl, staleWhileRevalidate, staleIfError, bytes: size, loadTime }) {
  const parts = [state === 'unshareable' ? 'not shared' : state]
  if (ttl > 0) parts.push(`${duration(ttl)} left`)
  if (staleWhileRevalidate > 0) parts.push(`${ttl > 0 ? 'then ' : ''}stale for ${duration(staleWhileRevalidate)}`)
  if (staleIfError > 0) parts.push(`if loads fail for ${duration(staleIfError)}`)
  if (size !== undefined) parts.push(bytes(size))
  if (loadTime > 0) parts.push(`loaded in ${duration(loadTime)}`)
  return parts.join(', ')
}

/** @param {number} number @param {string} one @param {string} many */
function plural(number, one, many) {
  return `${count(number)} ${number === 1 ? one : many}`
}
