/** @import { Greeting, Update } from '../report.ts' */
import { byId, element, setText } from './dom.js'
import { History } from './history.js'
import { Lookup } from './lookup.js'
import { Model } from './model.js'
import { Panels } from './panels.js'
import { Processes } from './processes.js'
import { Zoom } from './zoom.js'

/** ms until a server that has refused the events is asked again. */
const PAUSE = 5000

const model = new Model()
const panels = new Panels(new Zoom(render))
const history = new History(render)
const lookup = new Lookup()
const processes = new Processes(render)
const choice = /** @type {HTMLSelectElement} */ (byId('cache'))

function render() {
  const cache = model.caches[Math.max(choice.selectedIndex, 0)]
  if (cache === undefined) return
  lookup.choose(cache.name)
  const view = history.before(processes.viewOf(cache, model.at), cache.name, processes.chosen)
  panels.show(view, cache, model.at)
  processes.show(cache, model.at)
}

/** @param {'live' | 'waiting' | 'lost'} state @param {string} text */
function tellConnection(state, text) {
  const pill = byId('connection')
  pill.dataset['state'] = state
  setText(pill, text)
}

/** @param {Greeting} greeting */
function greet(greeting) {
  model.greet(greeting)
  lookup.allow(greeting)
  history.allow(greeting.history)
  setText(byId('process'), greeting.process)
  const chosen = choice.value
  choice.replaceChildren(...greeting.caches.map(({ name }) => element('option', { value: name }, name)))
  if (greeting.caches.some(({ name }) => name === chosen)) choice.value = chosen
  byId('cache-choice').hidden = greeting.caches.length < 2
}

function connect() {
  const events = new EventSource('events')
  events.addEventListener('greeting', ({ data }) => greet(JSON.parse(data)))
  events.addEventListener('update', ({ data }) => {
    model.update(/** @type {Update} */ (JSON.parse(data)))
    tellConnection('live', 'live')
    render()
  })
  events.addEventListener('error', () => {
    // The browser connects again by itself, unless the server has refused.
    if (events.readyState !== EventSource.CLOSED) return tellConnection('waiting', 'reconnecting…')
    tellConnection('lost', 'not connected')
    setTimeout(connect, PAUSE)
  })
}

choice.addEventListener('change', render)
connect()
